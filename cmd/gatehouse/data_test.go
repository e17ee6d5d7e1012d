//go:build unix

package main

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// TestBackup: a backup under load is one state of the data, and can be restored.
func TestBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	l := startLoad(p, "before")
	l.until(t, 50)
	l.mu.Lock()
	before := maps.Clone(l.acked)
	l.mu.Unlock()
	if out := must(t, dir, "backup", "copy.db"); !strings.Contains(out, "intact") {
		t.Errorf("backup says %q", out)
	}
	l.stop()
	info, err := os.Stat(filepath.Join(dir, "copy.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v %v", info, err)
	}
	if _, errors, code := run(t, dir, "backup", "copy.db"); code != 1 || !strings.Contains(errors, "never replaces") {
		t.Errorf("a second backup to the same file: %d %s", code, errors)
	}
	if _, errors, code := run(t, dir, "restore", "copy.db"); code != 1 || !strings.Contains(errors, "a server (process") {
		t.Errorf("restore beside a server: %d %s", code, errors)
	}
	status, reply, err := p.call("POST", "/management/v1/orgs", `{"name":"after"}`)
	if err != nil || status != 200 {
		t.Fatal(status, err)
	}
	p.stop(t)
	for range 2 {
		if out := must(t, dir, "verify", "--heads", "heads"); !strings.Contains(out, "heads of before") {
			t.Errorf("verify says %q", out)
		}
	}
	whole, err := os.ReadFile(filepath.Join(dir, "copy.db"))
	if err != nil {
		t.Fatal(err)
	}
	hole := slices.Clone(whole)
	clear(hole[len(hole)/2 : len(hole)/2+4096])
	for name, data := range map[string][]byte{"junk.db": []byte("junk"), "cut.db": whole[:len(whole)/2], "hole.db": hole} {
		put(t, dir, name, string(data))
		if _, errors, code := run(t, dir, "restore", name); code != 1 || !strings.Contains(errors, "no intact database") {
			t.Errorf("restore %s: %d %s", name, code, errors)
		}
	}
	if out := must(t, dir, "restore", "copy.db"); !strings.Contains(out, "is kept as") {
		t.Errorf("restore says %q", out)
	}
	must(t, dir, "verify")
	if out, errors, code := run(t, dir, "verify", "--heads", "heads"); code != 1 || !strings.Contains(out, "the log had the head") {
		t.Errorf("what was written after the backup is not missed: %d %s%s", code, out, errors)
	}
	put(t, dir, "noheads", "1-1-x\n")
	if _, errors, code := run(t, dir, "verify", "--heads", "noheads"); code != 1 || !strings.Contains(errors, "is no head of a log") {
		t.Errorf("a file of something else: %d %s", code, errors)
	}
	again := serve(t, dir)
	have := names(t, again)
	if err := missing(have, before); err != nil {
		t.Error(err)
	}
	if id, _ := reply["id"].(string); have[id] != "" {
		t.Error("what was written after the backup is there")
	}
	again.stop(t)
	kept, err := filepath.Glob(filepath.Join(dir, "gatehouse-data", "gatehouse.db.before-*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept aside: %q %v", kept, err)
	}
	must(t, dir, "restore", kept[0])
	back := serve(t, dir)
	if id, _ := reply["id"].(string); names(t, back)[id] != "after" {
		t.Error("what was kept aside lacks the last write")
	}
	back.stop(t)
	put(t, dir, "gatehouse-data/gatehouse.db", "a broken disk")
	put(t, dir, "gatehouse-data/gatehouse.db-wal", string(whole))
	must(t, dir, "restore", "copy.db")
	must(t, dir, "verify")
	if kept, err = filepath.Glob(filepath.Join(dir, "gatehouse-data", "gatehouse.db.before-*")); err != nil || len(kept) != 3 {
		t.Errorf("kept aside: %q %v", kept, err)
	}
}

// TestAdminReset: who has the machine gets back in, and the log says so.
func TestAdminReset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	must(t, dir, "admin", "reset", "--token") // Beside the server.
	file := filepath.Join(dir, "gatehouse-data", "admin-reset.token")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	token, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first := p.token
	p.token = strings.TrimSpace(string(token))
	status, reply, err := p.call("POST", "/admin/v1/events/_search", `{"editor_user_id":"`+flow.ResetCreator+`"}`)
	if events, _ := reply["events"].([]any); err != nil || status != 200 || len(events) != 3 {
		t.Errorf("the log of the reset: %d %v %v", status, reply, err)
	}
	if _, errors, code := run(t, dir, "admin", "reset", "--token"); code != 1 || !strings.Contains(errors, "file exists") {
		t.Errorf("a second reset into the same file: %d %s", code, errors)
	}
	p.token = first
	must(t, dir, "admin", "reset", "--user", "ADMIN", "--file", "again.token", "--valid", "4s")
	if _, errors, code := run(t, dir, "admin", "reset", "--user", "nobody", "--file", "no.token"); code != 1 || !strings.Contains(errors, "No active user named nobody") {
		t.Errorf("a token for nobody: %d %s", code, errors)
	}
	token, err = os.ReadFile(filepath.Join(dir, "again.token"))
	if err != nil {
		t.Fatal(err)
	}
	p.token = strings.TrimSpace(string(token))
	if status, _, err := p.call("GET", "/management/v1/orgs/me", ""); status != 200 || err != nil {
		t.Errorf("the owner's new token: %d %v", status, err)
	}
	time.Sleep(4100 * time.Millisecond)
	if status, _, err := p.call("GET", "/management/v1/orgs/me", ""); status != 401 || err != nil {
		t.Errorf("the token after its time: %d %v", status, err)
	}
	p.stop(t)
	second(t, dir)
	if _, errors, code := run(t, dir, "admin", "reset", "--token", "--file", "no.token"); code != 1 || !strings.Contains(errors, "several instances") {
		t.Errorf("which instance: %d %s", code, errors)
	}
	if _, err := os.Stat(filepath.Join(dir, "no.token")); err == nil {
		t.Error("a reset that failed leaves a file")
	}
	if out := must(t, dir, "admin", "reset", "--instance", "two.example", "--external-url", "https://one.example:8443"); !strings.Contains(out, "\n  https://two.example:8443/ui/login/setup?code=") {
		t.Errorf("a link for another person: %s", out)
	}
	must(t, dir, "admin", "reset", "--token", "--instance", "Two.example", "--file", "two.token")
	must(t, dir, "verify")
}

// TestNothingWithoutToken: where the token cannot be kept, nothing is made.
func TestNothingWithoutToken(t *testing.T) {
	t.Parallel()
	db := testdb.Open(t)
	store, full := eventstore.New(db, nil), errors.New("the disk is full")
	keep := func(string) error { return full }
	if _, err := flow.Setup(t.Context(), store, nil, "One", "one.example", keep); !errors.Is(err, full) {
		t.Errorf("setup: %v", err)
	}
	if count, err := instance.Count(t.Context(), db); count != 0 || err != nil {
		t.Errorf("%d instances, %v", count, err)
	}
	if _, err := flow.Setup(t.Context(), store, nil, "One", "one.example", nil); err != nil {
		t.Fatal(err)
	}
	before := events(t, db)
	if _, err := flow.ResetAdmin(t.Context(), store, flow.Reset{Token: true, Keep: keep}); !errors.Is(err, full) {
		t.Errorf("reset: %v", err)
	}
	if after := events(t, db); after != before {
		t.Errorf("a reset that cannot keep its token writes %d events", after-before)
	}
}

func events(t *testing.T, db *database.DB) (n uint64) {
	t.Helper()
	if err := db.Read(t.Context(), database.From("*", "events").Count(&n)); err != nil {
		t.Fatal(err)
	}
	return n
}

// second makes another instance.
func second(t *testing.T, dir string) {
	t.Helper()
	db, err := database.Open(t.Context(), database.Config{URL: filepath.Join(dir, "gatehouse-data", "gatehouse.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := flow.Setup(t.Context(), eventstore.New(db, nil), nil, "Two", "two.example", nil); err != nil {
		t.Fatal(err)
	}
}

// TestMasterKey: the first start makes a master key, and without that one the
// database does not open.
func TestMasterKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, dir, "setup")
	path := filepath.Join(dir, "gatehouse-data", "master.key")
	key, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("master key: %v, %v", info, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	with := func(key string) (text string, code int) {
		file := filepath.Join(dir, "gatehouse.yaml")
		if err := os.WriteFile(file, []byte("master_key: "+key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, problems, code := run(t, dir, "--config", file, "setup")
		return out + problems, code
	}
	other, err := crypto.NewMasterKey()
	if err != nil {
		t.Fatal(err)
	}
	for want, key := range map[string]string{"made under a master key": `""`, "does not open": other.Secret(), "no master key": "nonsense"} {
		if text, code := with(key); code != 1 || !strings.Contains(text, want) || strings.Contains(text, other.Secret()) {
			t.Errorf("want %q: %d %s", want, code, text)
		}
	}
	if text, code := with(strings.TrimSpace(string(key))); code != 0 {
		t.Errorf("with its own: %d %s", code, text)
	}
}

// TestRekey: a new master key takes the place of the old one, and a new key for
// secrets the place of nothing.
func TestRekey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, dir, "setup")
	path := filepath.Join(dir, "gatehouse-data", "master.key")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	must(t, dir, "vault", "rotate")
	must(t, dir, "vault", "rekey")
	after, err := os.ReadFile(path)
	if err != nil || bytes.Equal(before, after) {
		t.Fatalf("the master key is %v, %v", bytes.Equal(before, after), err)
	}
	if old, err := os.ReadFile(path + ".old"); err != nil || !bytes.Equal(old, before) {
		t.Errorf("the old one is not kept: %v", err)
	}
	must(t, dir, "vault", "rotate")
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, problems, code := run(t, dir, "vault", "rotate"); code != 1 || !strings.Contains(problems, "does not open") {
		t.Errorf("with the old one: %d %s", code, problems)
	}
}

// TestPolicyPreview: the command counts who is affected and changes nothing.
func TestPolicyPreview(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := serve(t, dir)
	if status, reply, err := server.call("POST", "/gatehouse/v1/policies/login/retirements", `{"secondFactor":1,"off":"`+time.Now().AddDate(1, 0, 0).Format(time.RFC3339)+`"}`); err != nil || status != 200 {
		t.Fatalf("plan: %d %v %v", status, reply, err)
	}
	server.stop(t)
	if out := must(t, dir, "policy", "preview", "--at", time.Now().AddDate(2, 0, 0).Format(time.DateOnly)); !strings.Contains(out, "0 sessions would not be enough any more.\nPlanned: otp cannot be set up from 20") {
		t.Errorf("preview of a day prints %q", out)
	}
	if out := must(t, dir, "policy", "preview", "--remove-second-factor", "otp,u2f"); !strings.HasPrefix(out, "0 people have set up what would be taken away; 0 of them") {
		t.Errorf("preview prints %q", out)
	}
	for want, args := range map[string]string{
		"there is no factor": "policy preview --remove-second-factor sms", "name what would be taken away": "policy preview",
		"There is no such organization": "policy preview --organization 1 --remove-passkeys", "is no day": "policy preview --at tomorrow",
	} {
		if out, problems, code := run(t, dir, strings.Fields(args)...); code != 1 || !strings.Contains(problems, want) {
			t.Errorf("%s: %d %q %q", args, code, out, problems)
		}
	}
}
