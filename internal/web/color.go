package web

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/gatehouse/gatehouse/internal/policy"
)

// rgb is a color: red, green and blue from 0 to 1.
type rgb [3]float64

var (
	black, white = rgb{}, rgb{1, 1, 1}
	// What texts stand on, as in base.css.
	lightSurface, darkSurface = white, rgb{0x1b / 255.0, 0x23 / 255.0, 0x33 / 255.0}
)

// contrastLeast is what texts need to be read by people with low vision (WCAG 2.2,
// success criterion 1.4.3).
const contrastLeast = 4.5

// color is the form of colors in label policies: of transparency nothing is kept.
var color = regexp.MustCompile(`^#(?:([0-9a-fA-F]{3})[0-9a-fA-F]?|([0-9a-fA-F]{6})(?:[0-9a-fA-F]{2})?)$`)

// parseColor reports whether a text is a color.
func parseColor(text string) (c rgb, ok bool) {
	m := color.FindStringSubmatch(text)
	if m == nil {
		return c, false
	}
	digits := m[1] + m[2]
	width := len(digits) / 3
	for i := range c {
		part := strings.Repeat(digits[i*width:(i+1)*width], 3-width)
		n, err := strconv.ParseUint(part, 16, 8)
		if err != nil {
			return c, false
		}
		c[i] = float64(n) / 255
	}
	return c, true
}

func (c rgb) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(c[0]*255)), int(math.Round(c[1]*255)), int(math.Round(c[2]*255)))
}

// luminance is the relative one of WCAG 2.2.
func (c rgb) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast is the ratio of two colors in WCAG 2.2, from 1 to 21.
func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// ink is what texts on a color are written in.
func ink(on rgb) rgb {
	if contrast(white, on) >= min(contrastLeast, contrast(black, on)) {
		return white
	}
	return black
}

// readable is a color, or the nearest to it in which texts on another one can be read.
func readable(c, on rgb) rgb {
	const steps = 20
	towards := ink(on)
	for n := range steps {
		mixed := c
		for i := range mixed {
			mixed[i] += (towards[i] - c[i]) * float64(n) / steps
		}
		if contrast(mixed, on) >= contrastLeast {
			return mixed
		}
	}
	return towards
}

// scheme writes the colors of a theme as variables of base.css. Whoever chose them need
// not have thought of people with low vision: texts are kept readable.
func scheme(primary, background, warn, font string, surface rgb) string {
	var b strings.Builder
	set := func(name string, c rgb) { fmt.Fprintf(&b, "--%s:%s;", name, c) }
	if c, ok := parseColor(primary); ok {
		set("primary", c)
		set("on-primary", ink(c))
		set("link", readable(c, surface))
	}
	if c, ok := parseColor(background); ok {
		set("background", c)
		set("on-background", ink(c))
	}
	if c, ok := parseColor(warn); ok {
		set("warn", readable(c, surface))
	}
	if c, ok := parseColor(font); ok {
		set("font", readable(c, surface))
	}
	return b.String()
}

// Themes are the colors of an organization as declarations of both themes.
func Themes(p policy.LabelPolicy) (light, dark string) {
	return scheme(p.PrimaryColor, p.BackgroundColor, p.WarnColor, p.FontColor, lightSurface),
		scheme(p.PrimaryColorDark, p.BackgroundColorDark, p.WarnColorDark, p.FontColorDark, darkSurface)
}

// stylesheet is the colors of an organization as a file of its own: the pages allow no
// styles inside.
func stylesheet(p policy.LabelPolicy) string {
	light, dark := Themes(p)
	if p.Font != "" {
		light += "--typeface:own;"
		dark += "--typeface:own;"
	}
	own := ""
	if p.Font != "" { // Keys are hexadecimal, with the end of a known form.
		own = "@font-face{font-family:own;src:url(" + asset(p.Font) + ");font-display:optional}"
	}
	return own + ":root{" + light + "}:root[data-theme=dark]{" + dark + "}" +
		"@media(prefers-color-scheme:dark){:root:not([data-theme=light]){" + dark + "}}\n"
}
