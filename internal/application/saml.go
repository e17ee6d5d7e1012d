package application

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// SAML is how an application that people log in to with SAML is set up.
type SAML struct {
	// EntityID is what the application calls itself in its metadata.
	EntityID string `json:"entityId"`
	// Metadata is XML; MetadataURL is where it came from, if it was fetched.
	Metadata    []byte `json:"metadata"`
	MetadataURL string `json:"metadataUrl"`
	Login
}

func (*SAML) kind() kind { return samlKind }

// MaxMetadata bounds the metadata of an application, in bytes.
const MaxMetadata = 500_000

const metadataSpace = "urn:oasis:names:tc:SAML:2.0:metadata"

var (
	errMetadata = fault.Invalid("APP-metadata",
		"The metadata must be one EntityDescriptor of SAML 2.0 in XML, in UTF-8, without a document type, with an entityID of 1 to 1024 bytes, in %d bytes at most.", MaxMetadata)
	errEntityTaken = fault.AlreadyExists("APP-entity", "An application with this entity id exists already.")
)

// check reads the metadata: what it says is kept as it is, if it is well formed and
// sends browsers nowhere where code would run.
func (c *SAML) check() error {
	if len(c.Metadata) > MaxMetadata {
		return errMetadata
	}
	if c.MetadataURL != "" {
		if err := checkWeb(c.MetadataURL); err != nil {
			return err
		}
	}
	c.EntityID = ""
	d := xml.NewDecoder(bytes.NewReader(c.Metadata))
	for depth := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errMetadata
		}
		switch t := token.(type) {
		case xml.Directive:
			return errMetadata
		case xml.EndElement:
			depth--
		case xml.StartElement:
			if depth == 0 && !c.readRoot(t) {
				return errMetadata
			}
			depth++
			if err := checkLocations(t); err != nil {
				return err
			}
		}
	}
	if c.EntityID == "" {
		return errMetadata
	}
	return c.Login.check()
}

// readRoot takes the entity id from the only element at the top.
func (c *SAML) readRoot(t xml.StartElement) bool {
	if c.EntityID != "" || t.Name.Local != "EntityDescriptor" || t.Name.Space != metadataSpace {
		return false
	}
	for _, a := range t.Attr {
		if a.Name.Space == "" && a.Name.Local == "entityID" {
			c.EntityID = a.Value
		}
	}
	return c.EntityID != "" && len(c.EntityID) <= 1024
}

// checkLocations refuses addresses of the metadata that are not ones of the web.
func checkLocations(t xml.StartElement) error {
	for _, a := range t.Attr {
		if a.Name.Local == "Location" || a.Name.Local == "ResponseLocation" {
			if err := checkWeb(a.Value); err != nil {
				return err
			}
		}
	}
	return nil
}
