package test

import (
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

func init() {
	flag.BoolVar(&testkit.Deep, "canaries", false, "search backups, dumps and PostgreSQL's files for secrets too")
}

// searchFolder holds, after all tests, that no secret of any of them is in a file of the server
// of PostgreSQL: in what it keeps of tables, of those that are dropped, and in its log of writes.
func searchFolder() (found []string) {
	folder := testdb.Folder()
	if !testkit.Deep || folder == "" {
		return nil
	}
	secrets := testkit.AllSecrets()
	needles, bytes := testkit.NewNeedles(secrets), 0
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil //nolint:nilerr // the server removes files meanwhile
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // the server removes files meanwhile
		}
		bytes += len(data)
		for _, what := range needles.In(data) {
			found = append(found, path+": "+what)
		}
		return nil
	})
	if err != nil {
		found = append(found, err.Error())
	}
	fmt.Fprintf(os.Stderr, "searched %d MB of PostgreSQL's files for %d secrets: %d found\n", bytes>>20, len(secrets), len(found))
	return found
}

// TestTheSearchFindsSecrets: what every test ends with finds a secret wherever one can be read,
// in whatever form, also where it was deleted. This is its sabotage, and runs always.
func TestTheSearchFindsSecrets(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]string{
		"as it is": "%s", "in JSON": `{"to":"ada","code":"%s","n":1}`, "in a link": "https://example.com/?code=%s&x=1",
	} {
		for _, secret := range []string{"Kx7w-secret-of-a-client", "K7Q2X9"} { // A code is short.
			t.Run(name+" "+secret, func(t *testing.T) {
				t.Parallel()
				s := testkit.Start(t)
				s.Send(t, testkit.Call{As: "nobody", Do: "POST /auth/v1/users/me/email/_verify", Body: `{"code":"` + secret + `"}`})
				if found := s.AtRest(t); len(found) != 0 {
					t.Fatalf("found before anything is kept: %q", found)
				}
				write(t, s.DB, "UPDATE nodes SET token = ?", fmt.Sprintf(keep, secret))
				if found := s.AtRest(t); len(found) == 0 {
					t.Error("what a row keeps is not found")
				}
				write(t, s.DB, "UPDATE nodes SET token = 'nothing'")
				if found := s.AtRest(t); len(found) == 0 && !testdb.Postgres() && len(secret) > 8 {
					t.Error("what was deleted is not found in the log of writes")
				}
				s.ForgetSecrets()
			})
		}
	}
	needles := testkit.NewNeedles(map[string]string{"a secret, and more": "it"})
	for text, want := range map[string]int{
		"..a secret, and more..": 1, "612073656372 65742c20616e64206d6f7265": 0, "..6120736563726574" + "2c20616e64206d6f7265..": 1,
		"a secret, and less": 0, base64.StdEncoding.EncodeToString([]byte(`{"n":"a secret, and more"}`)): 1,
		base64.RawURLEncoding.EncodeToString([]byte(`{"no":"a secret, and more"}`)): 1,
	} {
		if found := needles.In([]byte(text)); len(found) != want {
			t.Errorf("%q: %q", text, found)
		}
	}
}

func write(t *testing.T, db *database.DB, sql string, args ...any) {
	t.Helper()
	if err := db.Write(t.Context(), func(tx *database.Tx) error {
		tx.Exec(database.Statement{SQL: sql, Args: args})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// smellsSecret is in the names of fields that may hold a secret.
var smellsSecret = regexp.MustCompile(`(?i)password|secret|token|code|key|otp|^pat$|seed|credential|proof|cookie`)

// noSecrets are the fields whose names smell and that hold nothing secret.
var noSecrets = regexp.MustCompile(`(?i)(label|text|buttontext|option|link)$|^description|` + // texts of the pages
	`^(role|granted_?role)?_?keys?$|_?(key|token|passkey)_?(id|name)$|_keys$|^public_key|^translation_key$|` + // names and public halves
	`^(passkey_id|access_key_id|token_endpoint|keys_endpoint|otp|otp_sms|otp_email|page_token|next_page_token|key_id)$`)

// TestEverySecretFieldIsSearchedFor: a field of the contract whose name smells of a secret is one
// that the search looks for, or is known to be none.
func TestEverySecretFieldIsSearchedFor(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	var smell []string
	seen := map[protoreflect.FullName]bool{}
	var walk func(protoreflect.MessageDescriptor)
	walk = func(m protoreflect.MessageDescriptor) {
		if seen[m.FullName()] {
			return
		}
		seen[m.FullName()] = true
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			name := strings.ReplaceAll(string(f.Name()), "_", "")
			switch {
			case f.Message() != nil:
				walk(f.Message())
			case f.Kind() != protoreflect.StringKind && f.Kind() != protoreflect.BytesKind:
			case smellsSecret.MatchString(name) && !testkit.SecretFields[name] && !noSecrets.MatchString(string(f.Name())):
				smell = append(smell, string(f.FullName()))
			}
		}
	}
	for _, m := range builtMethods(t, s) {
		walk(m.Descriptor.Input())
		walk(m.Descriptor.Output())
	}
	slices.Sort(smell)
	for _, field := range slices.Compact(smell) {
		t.Errorf("%s: is it a secret (testkit.SecretFields) or not (noSecrets)?", field)
	}
}
