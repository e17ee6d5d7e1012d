package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse/gatehouse/internal/config"
)

// FuzzFile: a file is refused with an error that names what to change, or what it means is
// shown such that it reads as the same.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"", "listen: :1\n", "limits: {read_timeout: 7s, body_bytes: 65536}\n", "trusted_proxies: [10.0.0.0/8, fd00::/8]\n", "roles:\n  R: [org.read]\n",
		"tracing: {sample: 0.5, endpoint: http://localhost:4318}\n", "a: &a [*a]\n", "limits:\n  drain_delay: 1h\n  read_timeout: 0.5h\n", "database: {url_file: /dev/zero}\n",
	} {
		f.Add(seed)
	}
	path := filepath.Join(f.TempDir(), "gatehouse.yaml")
	load := func(t *testing.T, text []byte) (*config.Config, error) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return config.Load(config.Input{File: path})
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := load(t, []byte(text))
		if err != nil {
			named := func(key string) bool { return strings.Contains(err.Error(), key) }
			if !strings.Contains(err.Error(), path) && !slices.ContainsFunc(config.Keys(), named) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if c.MasterKey != "" || c.Database.URL != "" { // They are not shown.
			return
		}
		shown, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := load(t, shown)
		if err != nil {
			t.Fatalf("%q is shown as\n%s\nwhich is refused: %v", text, shown, err)
		}
		one, _ := yaml.Marshal(c)
		if two, _ := yaml.Marshal(again); string(one) != string(two) {
			t.Errorf("%q is read as\n%s\nand then as\n%s", text, one, two)
		}
	})
}

// FuzzValue: a value of the environment and the same of a flag are taken or refused alike.
func FuzzValue(f *testing.F) {
	for i, seed := range []string{"5s", "10.0.0.0/8, ::/0", "[{name: x}]", "64", "1e9", "0x10", "nan", "{a: [b]}", "postgres://u:p@h/d?x=%zz"} {
		f.Add(i*3, seed)
	}
	keys := config.Keys()
	f.Fuzz(func(t *testing.T, number int, value string) {
		key := keys[uint(number)%uint(len(keys))]
		if value == "" || strings.HasSuffix(key, "_file") {
			return
		}
		name := "GATEHOUSE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		one, err1 := config.Load(config.Input{Env: []string{name + "=" + value}})
		two, err2 := config.Load(config.Input{Flags: map[string]string{key: value}})
		if (err1 == nil) != (err2 == nil) {
			t.Fatalf("%s=%q: %v, as a flag %v", key, value, err1, err2)
		}
		if err1 != nil {
			if key == "master_key" || key == "database.url" {
				if len(value) > 12 && strings.Contains(err1.Error(), value) {
					t.Errorf("the error gives the secret away: %v", err1)
				}
			}
			return
		}
		a, _ := yaml.Marshal(one)
		if b, _ := yaml.Marshal(two); string(a) != string(b) {
			t.Errorf("%s=%q is read as\n%s\nand as\n%s", key, value, a, b)
		}
	})
}
