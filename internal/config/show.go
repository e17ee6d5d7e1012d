package config

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML is the configuration as it counts, without its secrets. Each value that
// is no default says where it came from.
func (c *Config) YAML() ([]byte, error) {
	var doc yaml.Node
	if err := doc.Encode(c); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c.comment("", &doc)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return out.Bytes(), e.Close()
}

func (c *Config) comment(prefix string, n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := prefix+n.Content[i].Value, n.Content[i+1]
		origin := c.origins[key]
		switch {
		case value.Kind == yaml.MappingNode && origin == "":
			c.comment(key+".", value)
		case origin == "":
		case value.Kind == yaml.ScalarNode:
			value.LineComment = string(origin)
		default:
			n.Content[i].LineComment = strings.TrimSpace(string(origin))
		}
	}
}
