//go:build linux

package testdb

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
)

// patroni is the configuration of a member. What counts is explained in
// docs/high-availability.md.
func (c *Patroni) patroni(m *member) string {
	bin, _ := program("postgres")
	bin, _ = filepath.EvalSymlinks(bin) // The others are where it is.
	return fmt.Sprintf(`scope: gatehouse
name: %[1]s
restapi: {listen: %[2]q, connect_address: %[2]q}
etcd3: {hosts: %[3]q}
bootstrap:
  dcs:
    ttl: 5
    loop_wait: 1
    retry_timeout: 2
    primary_start_timeout: 0
    synchronous_mode: %[7]t
    synchronous_mode_strict: false
    maximum_lag_on_failover: 1048576
    postgresql:
      use_pg_rewind: true
      parameters:
        max_connections: 200
        wal_log_hints: "on"
        synchronous_commit: "on"
  initdb: [{encoding: UTF8}, data-checksums, {locale: C.UTF-8}]
  pg_hba: ["host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"]
postgresql:
  listen: %[4]q
  connect_address: %[4]q
  data_dir: %[5]q
  bin_dir: %[6]q
  pgpass: %[5]s.pass
  parameters: {unix_socket_directories: ""}
  authentication:
    superuser: {username: postgres, password: secret}
    replication: {username: replicator, password: secret}
    rewind: {username: rewinder, password: secret}
`, m.name, m.rest, strings.Join(c.etcd, ","), m.sql, m.dir, filepath.Dir(bin), c.synchronous)
}

// haproxy is the configuration of what leads to the primary.
func (c *Patroni) haproxy() string {
	var out strings.Builder
	fmt.Fprintf(&out, `global
  maxconn 1000
defaults
  mode tcp
  retries 1
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout check 1s
listen primary
  bind %s
  option httpchk GET /primary
  http-check expect status 200
  default-server inter 300ms fall 2 rise 1 on-marked-down shutdown-sessions
`, c.front)
	for _, m := range c.members {
		_, port, _ := net.SplitHostPort(m.rest)
		fmt.Fprintf(&out, "  server %s %s check port %s\n", m.name, m.sql, port)
	}
	return out.String()
}
