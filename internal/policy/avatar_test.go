package policy

import (
	"bytes"
	"image"
	colors "image/color"
	"image/png"
	"testing"
)

// TestReadAvatar: a picture keeps its shape and its colors, is small, and shows white where
// one could look through it.
func TestReadAvatar(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to [2]int
		fill     colors.Color
		want     [3]int
	}{
		{[2]int{256, 256}, [2]int{256, 256}, colors.RGBA{R: 200, G: 20, B: 20, A: 255}, [3]int{200, 20, 20}},
		{[2]int{1024, 512}, [2]int{256, 128}, colors.RGBA{R: 20, G: 200, B: 20, A: 255}, [3]int{20, 200, 20}},
		{[2]int{3, 2000}, [2]int{1, 256}, colors.Black, [3]int{}},
		{[2]int{300, 300}, [2]int{256, 256}, colors.Transparent, [3]int{255, 255, 255}},
		{[2]int{1, 1}, [2]int{1, 1}, colors.NRGBA{B: 255, A: 128}, [3]int{127, 127, 255}},
	} {
		m := image.NewNRGBA(image.Rect(0, 0, c.from[0], c.from[1]))
		for y := range c.from[1] {
			for x := range c.from[0] {
				m.Set(x, y, c.fill)
			}
		}
		var file bytes.Buffer
		if err := png.Encode(&file, m); err != nil {
			t.Fatal(err)
		}
		a, err := ReadAvatar(file.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		got, form, err := image.Decode(bytes.NewReader(a.Data))
		if err != nil || form != "jpeg" || a.MediaType != "image/jpeg" {
			t.Fatalf("%v: %s %s %v", c.from, form, a.MediaType, err)
		}
		if size := got.Bounds().Size(); size.X != c.to[0] || size.Y != c.to[1] {
			t.Errorf("%v becomes %v", c.from, size)
		}
		r, g, b, _ := got.At(0, 0).RGBA()
		for i, v := range []uint32{r, g, b} {
			if d := int(v>>8) - c.want[i]; d < -6 || d > 6 {
				t.Errorf("%v: the color is %d %d %d", c.from, r>>8, g>>8, b>>8)
			}
		}
	}
}
