package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/provider"
)

// The least free disk space: below the first it is a warning, below the second a
// problem.
const (
	scarceSpace = 1 << 30
	noSpace     = 100 << 20
)

// folder looks at the data folder: who can read it, and how full the disk is.
func (l *look) folder() {
	if _, err := os.Stat(l.Data); errors.Is(err, fs.ErrNotExist) {
		l.well(aboutFolder, fault.Say("%s is not there yet: gatehouse start makes it", l.Data))
		return
	}
	if err := l.MakeData(); err != nil {
		l.problem(aboutFolder, as(err.Error()))
		return
	}
	private := true
	for _, name := range append([]string{"", databaseFile, databaseFile + "-wal"}, l.Files...) {
		private = l.private(aboutFolder, filepath.Join(l.Data, name)) && private
	}
	if private {
		l.well(aboutFolder, fault.Say("%s, for its owner only", l.Data))
	}
	switch free, err := database.FreeSpace(l.Data); {
	case err != nil:
		l.warning(aboutDisk, as(err.Error()))
	case free < noSpace:
		l.problem(aboutDisk, fault.Say("%d MB are free: make room, or %s", free>>20, l.at("data")))
	case free < scarceSpace:
		l.warning(aboutDisk, fault.Say("%d MB are free", free>>20))
	default:
		l.well(aboutDisk, fault.Say("%d GB are free", free>>30))
	}
}

// private finds a problem where others than the owner can use the file.
func (l *look) private(about *fault.Phrase, path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return true
	}
	l.problem(about, fault.Say("%s can be used by other users of this machine: chmod %s %s", path, map[bool]string{true: "700", false: "600"}[info.IsDir()], path))
	return false
}

// The most that the clocks of this machine and of the database may differ: beyond
// the first it is a warning, beyond the second a problem.
const (
	clockApart = time.Second
	clockWrong = 30 * time.Second
)

// databaseFile is the embedded database in the data folder.
const databaseFile = "gatehouse.db"

// oldestPostgreSQL is the oldest version that the tests run on.
const oldestPostgreSQL = 150000

// open opens the database, where there is one.
func (l *look) open() *database.DB {
	db, err := l.Open()
	switch {
	case err != nil:
		l.problem(aboutDatabase, as(err.Error()))
	case db == nil:
		l.well(aboutDatabase, fault.Say("there is none yet: gatehouse start makes it"))
	}
	return db
}

// data looks at the database, and at what is in it.
func (l *look) data(db *database.DB) {
	h, err := db.Health(l.ctx)
	if err != nil {
		l.problem(aboutDatabase, as(oneLine(err)))
		return
	}
	l.version(db, h)
	if slices.Sort(h.Weak); len(h.Weak) > 0 {
		l.problem(aboutDurability, fault.Say("acknowledged writes can be lost: %s", strings.Join(h.Weak, ", ")))
	} else {
		l.well(aboutDurability, fault.Say("acknowledged writes survive a crash"))
	}
	switch apart := time.Since(h.Clock).Abs(); { //nolint:forbidigo // compares the clocks
	case apart > clockWrong:
		l.problem(aboutClock, fault.Say("this machine and the database are %s apart: set both by NTP", apart.Round(time.Second)))
	case apart > clockApart:
		l.warning(aboutClock, fault.Say("this machine and the database are %s apart", apart.Round(time.Millisecond)))
	default:
		l.well(aboutClock, fault.Say("it agrees with the database's"))
	}
	if len(h.Pending) > 0 {
		l.warning(aboutSchema, fault.Say("%d steps are missing: gatehouse migrate, or start, takes them", len(h.Pending)))
		return
	}
	l.well(aboutSchema, fault.Say("up to date"))
	if l.hosts(db) {
		l.instances(db)
	}
}

func (l *look) version(db *database.DB, h database.Health) {
	number, _ := strconv.Atoi(h.Version)
	switch {
	case db.Dialect() == database.SQLite:
		l.well(aboutDatabase, fault.Say("SQLite %s in %s", h.Version, filepath.Join(l.Data, databaseFile)))
	case number < oldestPostgreSQL:
		l.problem(aboutDatabase, fault.Say("PostgreSQL %d is older than %d: upgrade it", number/10000, oldestPostgreSQL/10000))
	default:
		l.well(aboutDatabase, as(fmt.Sprintf("PostgreSQL %d.%d", number/10000, number%10000)))
	}
}

// hosts looks whether the external URL leads to an instance.
func (l *look) hosts(db *database.DB) bool {
	hosts, err := instance.Hosts(l.ctx, db)
	if err != nil {
		l.problem(aboutInstances, as(oneLine(err)))
		return false
	}
	if len(hosts) == 0 {
		l.warning(aboutInstances, fault.Say("there is none: gatehouse setup makes the first"))
		return false
	}
	host := hostname.Canonical(hostOf(cmp.Or(l.ExternalURL, "http://localhost")))
	if !slices.ContainsFunc(hosts, func(h instance.Host) bool { return h.Domain == host }) {
		var domains []string
		for _, h := range hosts[:min(len(hosts), most)] {
			domains = append(domains, h.Domain)
		}
		l.problem(aboutInstances, fault.Say("no instance is reached at %s, but at %s: %s, or add the domain to an instance", host, strings.Join(domains, ", "), l.at("external_url")))
		return false
	}
	l.well(aboutInstances, fault.Say("%s leads to one", host))
	return true
}

// most is how many things of one kind a finding names.
const most = 5

// instances looks at what instances lack: all of them, or the one that is looked at.
func (l *look) instances(db *database.DB) {
	l.carriers(db, provider.Email, fault.Say("mail"))
	l.carriers(db, provider.SMS, fault.Say("SMS"))
	l.jobs(db)
}

// carriers says where nobody carries what people are told.
func (l *look) carriers(db *database.DB, of provider.Sort, title *fault.Phrase) {
	without, err := provider.Without(l.ctx, db, of)
	if l.of != "" {
		without = slices.DeleteFunc(without, func(id string) bool { return id != l.of })
	}
	switch {
	case err != nil:
		l.problem(aboutMessages, as(oneLine(err)))
	case len(without) > 0:
		l.note(aboutMessages, fault.Say("nobody carries %s of the instance %s: it waits, and ends unsent. Add a provider, in the console or by the API (/openapi, admin), and activate it; gatehouse start --dev shows what would be sent",
			title, strings.Join(without[:min(len(without), most)], ", ")))
	default:
		l.well(aboutMessages, fault.Say("somebody carries %s", title))
	}
}

// jobs says what is left behind by transactions and cannot be done.
func (l *look) jobs(db *database.DB) {
	failing, err := job.Failing(l.ctx, db, l.of)
	switch {
	case err != nil:
		l.problem(aboutJobs, as(oneLine(err)))
	case len(failing) == 0:
		l.well(aboutJobs, fault.Say("none fails"))
	}
	for _, f := range failing {
		l.warning(aboutJobs, fault.Say("%d of the kind %s fail, one of them %d times in a row: %s. Mend the cause; they are tried again by themselves, after an hour at most", f.Count, f.Kind, f.Attempts, f.Error))
	}
}
