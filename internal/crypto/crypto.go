// Package crypto keeps secrets: it seals them for the database, hashes passwords,
// and makes and checks codes.
//
// It knows no aggregate, and imports database and fault.
package crypto
