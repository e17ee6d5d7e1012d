package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/provider"
)

// The least free disk space: below the first it is a warning, below the second a
// problem.
const (
	scarceSpace = 1 << 30
	noSpace     = 100 << 20
)

// checkFolder looks at the data folder: who can read it, and how full the disk is.
func (d *doctor) checkFolder() {
	if _, err := os.Stat(d.Data); errors.Is(err, fs.ErrNotExist) {
		d.okf("data folder", "%s is not there yet: gatehouse start makes it", d.Data)
		return
	}
	if err := d.makeData(); err != nil {
		d.problemf("data folder", "%v", err)
		return
	}
	private := true
	for _, name := range []string{"", "gatehouse.db", "gatehouse.db-wal", tokenFile, keyFile} {
		private = d.private("data folder", d.path(name)) && private
	}
	if private {
		d.okf("data folder", "%s, for its owner only", d.Data)
	}
	switch free, err := freeSpace(d.Data); {
	case err != nil:
		d.warningf("disk", "%v", err)
	case free < noSpace:
		d.problemf("disk", "%d MB are free: make room, or %s", free>>20, d.at("data"))
	case free < scarceSpace:
		d.warningf("disk", "%d MB are free", free>>20)
	default:
		d.okf("disk", "%d GB are free", free>>30)
	}
}

// private finds a problem where others than the owner can use the file.
func (d *doctor) private(about, path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return true
	}
	d.problemf(about, "%s can be used by other users of this machine: chmod %s %s", path, map[bool]string{true: "700", false: "600"}[info.IsDir()], path)
	return false
}

// The most that the clocks of this machine and of the database may differ: beyond
// the first it is a warning, beyond the second a problem.
const (
	clockApart = time.Second
	clockWrong = 30 * time.Second
)

// oldestPostgreSQL is the oldest version that the tests run on.
const oldestPostgreSQL = 150000

func (d *doctor) checkDatabase() {
	if _, err := os.Stat(d.databaseFile()); d.embedded() && errors.Is(err, fs.ErrNotExist) {
		d.okf("database", "there is none yet: gatehouse start makes it")
		return
	}
	db, err := d.open(nil)
	if err != nil {
		d.problemf("database", "%v", err)
		return
	}
	defer func() { _ = db.Close() }()
	h, err := db.Health(d.ctx)
	if err != nil {
		d.problemf("database", "%s", oneLine(err))
		return
	}
	d.checkVersion(db, h)
	if slices.Sort(h.Weak); len(h.Weak) > 0 {
		d.problemf("durability", "acknowledged writes can be lost: %s", strings.Join(h.Weak, ", "))
	} else {
		d.okf("durability", "acknowledged writes survive a crash")
	}
	switch apart := time.Since(h.Clock).Abs(); { //nolint:forbidigo // compares the clocks
	case apart > clockWrong:
		d.problemf("clock", "this machine and the database are %s apart: set both by NTP", apart.Round(time.Second))
	case apart > clockApart:
		d.warningf("clock", "this machine and the database are %s apart", apart.Round(time.Millisecond))
	default:
		d.okf("clock", "it agrees with the database's")
	}
	if len(h.Pending) > 0 {
		d.warningf("schema", "%d steps are missing: gatehouse migrate, or start, takes them", len(h.Pending))
		return
	}
	d.okf("schema", "up to date")
	d.checkHosts(db)
}

func (d *doctor) checkVersion(db *database.DB, h database.Health) {
	number, _ := strconv.Atoi(h.Version)
	switch {
	case db.Dialect() == database.SQLite:
		d.okf("database", "SQLite %s in %s", h.Version, d.databaseFile())
	case number < oldestPostgreSQL:
		d.problemf("database", "PostgreSQL %d is older than %d: upgrade it", number/10000, oldestPostgreSQL/10000)
	default:
		d.okf("database", "PostgreSQL %s", fmt.Sprintf("%d.%d", number/10000, number%10000))
	}
}

// checkHosts looks whether the external URL leads to an instance.
func (d *doctor) checkHosts(db *database.DB) {
	hosts, err := instance.Hosts(d.ctx, db)
	if err != nil {
		d.problemf("instances", "%s", oneLine(err))
		return
	}
	if len(hosts) == 0 {
		d.warningf("instances", "there is none: gatehouse setup makes the first")
		return
	}
	host := hostname.Canonical(hostOf(cmp.Or(d.ExternalURL, "http://localhost")))
	if !slices.ContainsFunc(hosts, func(h instance.Host) bool { return h.Domain == host }) {
		var domains []string
		for _, h := range hosts[:min(len(hosts), 5)] {
			domains = append(domains, h.Domain)
		}
		d.problemf("instances", "no instance is reached at %s, but at %s: %s, or add the domain to an instance", host, strings.Join(domains, ", "), d.at("external_url"))
		return
	}
	d.okf("instances", "%s leads to one", host)
	d.checkProviders(db)
}

// checkProviders says where nobody carries what people are told.
func (d *doctor) checkProviders(db *database.DB) {
	for _, of := range []struct {
		sort  provider.Sort
		title string
	}{{provider.Email, "mail"}, {provider.SMS, "SMS"}} {
		without, err := provider.Without(d.ctx, db, of.sort)
		switch {
		case err != nil:
			d.problemf("messages", "%s", oneLine(err))
		case len(without) > 0:
			d.notef("messages", "nobody carries %s of the instance %s: it waits, and ends unsent. Add a provider (/openapi, admin) and activate it; gatehouse start --dev shows what would be sent",
				of.title, strings.Join(without[:min(len(without), 5)], ", "))
		default:
			d.okf("messages", "somebody carries %s", of.title)
		}
	}
}
