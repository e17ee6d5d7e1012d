package config

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Origin is where a value came from, for people: "gatehouse.yaml:12",
// "GATEHOUSE_LISTEN" or "--listen".
type Origin string

// File is the file that the value came from, if it came from one.
func (o Origin) File() (string, bool) {
	i := strings.LastIndexByte(string(o), ':')
	return string(o)[:max(i, 0)], i > 0
}

// maxFile bounds the configuration file and the files that it names, in bytes.
const maxFile = 1 << 20

// Input is what a configuration is made of besides the defaults.
type Input struct {
	File  string            // path of the YAML file; empty: none
	Env   []string          // "NAME=value"
	Flags map[string]string // by key, such as "database.url"
}

// setting is a field of Config that has a value of its own.
type setting struct {
	key    string
	field  reflect.Value
	secret bool
}

// Load fills and checks a configuration. Its error names what to change.
func Load(in Input) (*Config, error) {
	c := &Config{origins: map[string]Origin{}}
	l := &loader{config: c, settings: settings(c)}
	for _, load := range []func() error{
		l.defaults,
		func() error { return l.file(in.File) },
		func() error { return l.env(in.Env) },
		func() error { return l.flags(in.Flags) },
		c.check,
	} {
		if err := load(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Keys lists the keys of all settings, in the order of the struct.
func Keys() []string {
	var keys []string
	for _, s := range settings(&Config{}) {
		keys = append(keys, s.key)
		if s.secret {
			keys = append(keys, s.key+"_file")
		}
	}
	return keys
}

type loader struct {
	config   *Config
	settings []setting
}

// settings lists the fields of c, those of nested structs under their own key.
func settings(c *Config) []setting {
	var out []setting
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			key := prefix + f.Tag.Get("yaml")
			if f.Type.Kind() == reflect.Struct {
				walk(key+".", v.Field(i))
				continue
			}
			out = append(out, setting{key, v.Field(i), f.Type == reflect.TypeFor[Secret]()})
		}
	}
	walk("", reflect.ValueOf(c).Elem())
	return out
}

func (l *loader) defaults() error {
	var set func(v reflect.Value) error
	set = func(v reflect.Value) error {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.IsExported() && f.Type.Kind() == reflect.Struct {
				if err := set(v.Field(i)); err != nil {
					return err
				}
			} else if text, ok := f.Tag.Lookup("default"); ok {
				if err := yaml.Unmarshal([]byte(text), v.Field(i).Addr().Interface()); err != nil {
					return fmt.Errorf("default of %s: %w", f.Name, err)
				}
			}
		}
		return nil
	}
	return set(reflect.ValueOf(l.config).Elem())
}

// names lists what may stand in place of a key: the keys, and those of files
// with secrets.
func (l *loader) names() map[string]setting {
	out := map[string]setting{}
	for _, s := range l.settings {
		out[s.key] = s
		if s.secret {
			out[s.key+"_file"] = s
		}
	}
	return out
}

func (l *loader) file(path string) error {
	if path == "" {
		return nil
	}
	data, err := readFile(path)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("%s: %s", path, plain(err))
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return l.mapping(path, "", doc.Content[0])
}

// mapping reads the keys of one level of the file.
func (l *loader) mapping(path, prefix string, n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: %s needs keys below it, such as %q", path, n.Line, strings.TrimSuffix(prefix, "."), l.first(prefix))
	}
	names := l.names()
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		key := prefix + name.Value
		origin := Origin(fmt.Sprintf("%s:%d", path, name.Line))
		if seen[key] {
			return fmt.Errorf("%s: %s is set twice", origin, key)
		}
		seen[key] = true
		s, known := names[key]
		switch {
		case l.first(key+".") != "":
			if err := l.mapping(path, key+".", value); err != nil {
				return err
			}
		case !known:
			return fmt.Errorf("%s: there is no setting %s%s", origin, key, nearest(key, slices.Collect(maps.Keys(names))))
		default:
			if err := l.decode(s, key, value, origin); err != nil {
				return err
			}
		}
	}
	return nil
}

// first is a key that begins with prefix; empty if there is none.
func (l *loader) first(prefix string) string {
	for _, s := range l.settings {
		if strings.HasPrefix(s.key, prefix) {
			return s.key
		}
	}
	return ""
}

// inCluster are variables that container platforms set for a service whose name
// is gatehouse.
var inCluster = regexp.MustCompile(`^GATEHOUSE_(SERVICE_HOST|SERVICE_PORT|PORT)(_|$)`)

func (l *loader) env(environ []string) error {
	names := map[string]string{}
	for key := range l.names() {
		names[envName(key)] = key
	}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "GATEHOUSE_") || name == "GATEHOUSE_CONFIG" || inCluster.MatchString(name) || value == "" {
			continue
		}
		key, known := names[name]
		if !known {
			return fmt.Errorf("%s: there is no such setting%s", name, nearest(name, slices.Collect(maps.Keys(names))))
		}
		if err := l.text(key, value, Origin(name)); err != nil {
			return err
		}
	}
	return nil
}

func envName(key string) string {
	return "GATEHOUSE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func (l *loader) flags(flags map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(flags)) {
		if err := l.text(key, flags[key], Origin("--"+flagName(key))); err != nil {
			return err
		}
	}
	return nil
}

// flagName is the flag for a key. The database has a short one.
func flagName(key string) string {
	return strings.ReplaceAll(strings.TrimSuffix(key, ".url"), "_", "-")
}

// text sets a value that came as text: as it is for texts, with commas between
// the elements of a list, as YAML for everything else.
func (l *loader) text(key, value string, origin Origin) error {
	s := l.names()[key]
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	switch kind := s.field.Kind(); {
	case kind == reflect.String:
	case kind == reflect.Slice && s.field.Type().Elem().Kind() != reflect.Slice && !strings.ContainsAny(value, "[{"):
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for part := range strings.SplitSeq(value, ",") {
			list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.TrimSpace(part)})
		}
		n = list
	default:
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(value), &doc); err != nil || len(doc.Content) == 0 {
			return fmt.Errorf("%s: the value of %s is not YAML", origin, key)
		}
		n = doc.Content[0]
	}
	return l.decode(s, key, n, origin)
}

// decode sets one field from n, with the secret's file where key names that.
func (l *loader) decode(s setting, key string, n *yaml.Node, origin Origin) error {
	for other := range l.config.origins { // What a stronger source sets, it sets as a whole.
		if other == s.key || strings.HasPrefix(other, s.key+".") {
			delete(l.config.origins, other)
		}
	}
	l.config.origins[s.key] = origin
	if err := l.known(s.key, n, s.field.Type(), origin); err != nil {
		return err
	}
	s.field.SetZero()
	if err := n.Decode(s.field.Addr().Interface()); err != nil {
		return fmt.Errorf("%s: %s: %s", origin, key, plain(err))
	}
	if key == s.key || s.field.String() == "" {
		return nil
	}
	data, err := readFile(s.field.String())
	if err != nil {
		return fmt.Errorf("%s: %s: %w", origin, key, err)
	}
	s.field.SetString(strings.TrimSpace(string(data)))
	return nil
}

// known refuses keys inside a value that its type does not have, and remembers
// the line of each part.
func (l *loader) known(at string, n *yaml.Node, t reflect.Type, origin Origin) error {
	if file, ok := origin.File(); ok && l.config.origins[at] == "" {
		l.config.origins[at] = Origin(fmt.Sprintf("%s:%d", file, n.Line))
	}
	switch {
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for i, e := range n.Content {
			if err := l.known(fmt.Sprintf("%s.%d", at, i), e, t.Elem(), origin); err != nil {
				return err
			}
		}
	case t.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			if err := l.known(at+"."+n.Content[i].Value, n.Content[i], t.Elem(), origin); err != nil {
				return err
			}
		}
	case t.Kind() == reflect.Struct && n.Kind == yaml.MappingNode && t.PkgPath() == reflect.TypeFor[Config]().PkgPath():
		fields := map[string]reflect.Type{}
		for f := range t.Fields() {
			if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "-" {
				fields[name] = f.Type
			}
		}
		for i := 0; i < len(n.Content); i += 2 {
			name := n.Content[i].Value
			field, ok := fields[name]
			if !ok {
				return fmt.Errorf("%s: there is no setting %s.%s%s", l.config.origin(at), at, name, nearest(name, slices.Collect(maps.Keys(fields))))
			}
			if err := l.known(at+"."+name, n.Content[i+1], field, origin); err != nil {
				return err
			}
		}
	}
	return nil
}

// readFile reads a file that the operator names. It may be a pipe, so its size is known
// at its end only.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // see above
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("larger than %d bytes", maxFile)}
	}
	return data, err
}

// plain is what YAML says, on one line and without its prefix.
func plain(err error) string {
	lines := strings.Split(strings.TrimPrefix(err.Error(), "yaml: "), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.TrimPrefix(strings.Join(lines, " "), "unmarshal errors: ")
}
