package policy

import (
	"bytes"
	"image"
	colors "image/color"
	"image/jpeg"
)

// avatarSide bounds each side of a person's picture as it is kept, in pixels.
const avatarSide = 256

// avatarQuality is that of the JPEG: what is shown so small needs no more.
const avatarQuality = 85

// ReadAvatar looks at the bytes of a picture of a person and makes it small. What else the
// file holds, such as where it was taken, is left out.
func ReadAvatar(data []byte) (Asset, error) {
	if len(data) > MaxAsset {
		return Asset{}, errAssetSize
	}
	picture, _, err := readPicture(data)
	if err != nil {
		return Asset{}, err
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, shrink(picture, avatarSide), &jpeg.Options{Quality: avatarQuality}); err != nil {
		return Asset{}, err
	}
	return Asset{MediaType: "image/jpeg", Data: out.Bytes(), ext: ".jpeg"}, nil
}

// shrink makes a picture of at most so many pixels on each side, on white. A pixel is the
// mean of those that it stands for.
func shrink(from image.Image, side int) *image.RGBA {
	b := from.Bounds()
	w, h := b.Dx(), b.Dy()
	if most := max(w, h); most > side {
		w, h = max(1, w*side/most), max(1, h*side/most)
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			out.SetRGBA(x, y, mean(from, image.Rect(
				b.Min.X+x*b.Dx()/w, b.Min.Y+y*b.Dy()/h, b.Min.X+(x+1)*b.Dx()/w, b.Min.Y+(y+1)*b.Dy()/h)))
		}
	}
	return out
}

// mean is the color of a part of a picture on white.
func mean(from image.Image, part image.Rectangle) colors.RGBA {
	var sum [3]uint64
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			r, g, b, a := from.At(x, y).RGBA()
			for i, c := range [3]uint32{r, g, b} {
				sum[i] += uint64(c + 0xffff - a)
			}
		}
	}
	n := uint64(part.Dx()*part.Dy()) << 8                                             //nolint:gosec // the sides are positive
	return colors.RGBA{uint8(sum[0] / n), uint8(sum[1] / n), uint8(sum[2] / n), 0xff} //nolint:gosec // a mean of 16 bits, without the lower 8
}
