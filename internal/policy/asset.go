package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"image"
	_ "image/gif"  // a form of pictures
	_ "image/jpeg" // a form of pictures
	_ "image/png"  // a form of pictures
	"sync"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("assets", "instance_id, asset_key", "org_id, user_id, media_type, data")
}

// LabelAsset is a picture or a font of a label policy, by its name in events.
type LabelAsset string

// The assets.
const (
	Logo     LabelAsset = "logo"
	LogoDark LabelAsset = "logo.dark"
	Icon     LabelAsset = "icon"
	IconDark LabelAsset = "icon.dark"
	Font     LabelAsset = "font"
)

// LabelAssets are all of them.
var LabelAssets = []LabelAsset{Logo, LogoDark, Icon, IconDark, Font}

const (
	// MaxAsset bounds a picture or a font, in bytes.
	MaxAsset = 512 << 10
	// maxPixels bounds each side of a picture: decoded, it takes 32 MiB at most.
	maxPixels = 2048
)

var (
	errAssetSize    = fault.Invalid("ASSET-size", "The file is larger than %d bytes: make it smaller.", MaxAsset)
	errAssetPicture = fault.Invalid("ASSET-picture", "The file is no picture that is taken here: send a PNG, a JPEG or a GIF of at most %d pixels on each side.", maxPixels)
	errAssetFont    = fault.Invalid("ASSET-font", "The file is no font that is taken here: send a WOFF2, a WOFF, a TrueType or an OpenType font.")
	errAssetNone    = fault.NotFound("ASSET-none", "The label policy has no such picture or font.")
)

// Asset is a picture or a font, of a type that was found in its bytes.
type Asset struct {
	MediaType string
	Data      []byte
	Personal  bool // a picture of a person
	ext       string
}

// fonts are the beginnings of the forms of fonts.
var fonts = []struct{ magic, mediaType, ext string }{
	{"wOF2", "font/woff2", ".woff2"}, {"wOFF", "font/woff", ".woff"}, {"\x00\x01\x00\x00", "font/ttf", ".ttf"}, {"OTTO", "font/otf", ".otf"},
}

// decoding is held while a picture is decoded.
var decoding sync.Mutex

// ReadAsset looks at the bytes of a file, whatever it is called: only pictures without code
// and fonts are taken.
func ReadAsset(of LabelAsset, data []byte) (Asset, error) {
	if len(data) > MaxAsset {
		return Asset{}, errAssetSize
	}
	if of == Font {
		for _, f := range fonts {
			if bytes.HasPrefix(data, []byte(f.magic)) {
				return Asset{MediaType: f.mediaType, Data: data, ext: f.ext}, nil
			}
		}
		return Asset{}, errAssetFont
	}
	_, form, err := readPicture(data)
	return Asset{MediaType: "image/" + form, Data: data, ext: "." + form}, err
}

// readPicture decodes a picture of a form that holds no code.
func readPicture(data []byte) (picture image.Image, form string, err error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || c.Width > maxPixels || c.Height > maxPixels {
		return nil, "", errAssetPicture.Because(err)
	}
	decoding.Lock() // A small file can be a large picture: one at a time.
	defer decoding.Unlock()
	if picture, form, err = image.Decode(bytes.NewReader(data)); err != nil {
		return nil, "", errAssetPicture.Because(err)
	}
	return picture, form, nil
}

// asset is the field of the policy that names an asset.
func (p *LabelPolicy) asset(of LabelAsset) *string {
	return map[LabelAsset]*string{Logo: &p.Logo, LogoDark: &p.LogoDark, Icon: &p.Icon, IconDark: &p.IconDark, Font: &p.Font}[of]
}

// AssetAdded is the payload of the events of a new asset.
type AssetAdded struct {
	Key       string `json:"storeKey"`
	MediaType string `json:"mediaType"`
	Data      []byte `json:"data"` // the log holds it, since nothing else could bring it back
}

// AssetRemoved is the payload of the events of the end of an asset.
type AssetRemoved struct {
	Key string `json:"storeKey"`
}

// Added is what the event of an owner's new asset tells: the key is of these bytes of this
// owner.
func (a Asset) Added(owner string) AssetAdded {
	sum := sha256.Sum256(append([]byte(owner+"\n"), a.Data...))
	return AssetAdded{Key: hex.EncodeToString(sum[:20]) + a.ext, MediaType: a.MediaType, Data: a.Data}
}

// KeepAsset writes the row of an asset, of a user or of nobody.
func KeepAsset(f *eventstore.Fold, org, userID string, e AssetAdded) {
	f.Exec("INSERT INTO assets (instance_id, asset_key, org_id, user_id, media_type, data) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (instance_id, asset_key) DO NOTHING",
		f.Instance, e.Key, org, userID, e.MediaType, base64.StdEncoding.EncodeToString(e.Data))
}

// labelAssets are the events of each asset, of instances and organizations.
var labelAssets = func() map[LabelAsset]map[bool]assetEvents {
	out := map[LabelAsset]map[bool]assetEvents{}
	for _, of := range LabelAssets {
		out[of] = map[bool]assetEvents{true: declareAsset("instance", of), false: declareAsset("org", of)}
	}
	return out
}()

type assetEvents struct {
	added   *eventstore.Kind[AssetAdded]
	removed *eventstore.Kind[AssetRemoved]
}

func declareAsset(level string, of LabelAsset) assetEvents {
	name := level + ".policy.label." + string(of)
	set := func(f *eventstore.Fold, key string) error {
		return Label.alter(f, func(p *LabelPolicy) error {
			*p.asset(of) = key
			return nil
		})
	}
	return assetEvents{
		added: eventstore.Declare(name+".added", func(f *eventstore.Fold, e AssetAdded) error {
			KeepAsset(f, scopeOf(f).Org, "", e)
			return set(f, e.Key)
		}, "data"),
		removed: eventstore.Declare(name+".removed", func(f *eventstore.Fold, _ AssetRemoved) error { return set(f, "") }),
	}
}

// SetLabelAsset gives the preview of a scope a picture or a font. Visitors see it once the
// preview is activated.
func SetLabelAsset(tx *eventstore.Tx, s Scope, of LabelAsset, a Asset) (Details, error) {
	r, err := Label.lock(tx, s, "write")
	if err != nil {
		return Details{}, err
	}
	if !r.exists {
		return Details{}, noOwn("policy.label.missing", Label.title)(s)
	}
	return labelAssets[of][s.IsDefault()].added.Emit(tx, Label.aggregate(s), a.Added(s.Org))
}

// RemoveLabelAsset makes a verb that takes a picture or a font out of the preview.
func RemoveLabelAsset(of LabelAsset) func(*eventstore.Tx, Scope) (Details, error) {
	return func(tx *eventstore.Tx, s Scope) (Details, error) {
		r, err := Label.lock(tx, s, "write")
		switch {
		case err != nil:
			return Details{}, err
		case !r.exists:
			return Details{}, noOwn("policy.label.missing", Label.title)(s)
		}
		key := *r.doc.asset(of)
		if key == "" {
			return Details{}, errAssetNone
		}
		return labelAssets[of][s.IsDefault()].removed.Emit(tx, Label.aggregate(s), AssetRemoved{key})
	}
}

// AssetByKey asks for an asset of an instance.
func AssetByKey(instance, key string, a *Asset, found *bool) database.Query {
	*found = false
	return database.Query{
		SQL: "SELECT media_type, data, user_id FROM assets WHERE instance_id = ? AND asset_key = ?", Args: []any{instance, key},
		Row: func(scan database.Scan) error {
			var data, userID string
			err := scan(&a.MediaType, &data, &userID)
			if err == nil {
				*found, a.Personal = true, userID != ""
				a.Data, err = base64.StdEncoding.DecodeString(data)
			}
			return err
		},
	}
}
