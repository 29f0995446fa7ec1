//go:build unix

package revocation

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tashika-jp/tashika/certs/pkix"
	"github.com/tashika-jp/tashika/certs/sandbox"
)

// The servers that operators have: what they make of a list in their own way (entity tags, compression, LDAP's encoding)
// is what has to be understood, not what a test's own server does.

// program finds a server, also where /usr/sbin is not on the path. The test is skipped where it is not installed.
func program(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path := filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// process is a server in the foreground, known by its own process and ended by it.
type process struct {
	t       *testing.T
	argv    []string
	address string
	out     string // file
	cmd     *exec.Cmd
}

// freeAddress is one on loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs the server and waits until it accepts connections.
func (p *process) start() {
	p.t.Helper()
	out, err := os.Create(p.out)
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	p.cmd = exec.Command(p.argv[0], p.argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for range 1200 {
		if c, err := net.Dial("tcp", p.address); err == nil {
			c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	said, _ := os.ReadFile(p.out)
	p.t.Fatalf("%s does not serve: %s", p.argv[0], said)
}

func (p *process) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// freeze stops the server without ending it, and waits until all of its threads stand still.
func (p *process) freeze() {
	p.t.Helper()
	var status syscall.WaitStatus
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		p.t.Fatal(err)
	}
	for !status.Stopped() {
		if _, err := syscall.Wait4(p.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil && err != syscall.EINTR {
			p.t.Fatal(err)
		}
	}
}

func (p *process) thaw() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		p.t.Fatal(err)
	}
}

// nginx serves the files of a directory, with entity tags and compressed.
type nginx struct {
	process
	lists, log string
}

func newNginx(t *testing.T) *nginx {
	t.Helper()
	dir := t.TempDir()
	n := &nginx{lists: filepath.Join(dir, "lists"), log: filepath.Join(dir, "access.log")}
	address := freeAddress(t)
	config := fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/pid;
events { worker_connections 64; }
http {
  log_format answers '$request_uri $status $sent_http_content_encoding';
  access_log %[1]s/access.log answers;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  types { application/pkix-crl crl; }
  gzip on; gzip_types application/pkix-crl; gzip_min_length 0; gzip_http_version 1.0;
  etag on;
  server { listen %[2]s; root %[1]s/lists; }
}
`, dir, address)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(n.lists, 0o700); err != nil {
		t.Fatal(err)
	}
	n.process = process{t: t, address: address, out: filepath.Join(dir, "out"),
		argv: []string{program(t, "nginx"), "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", path}}
	t.Cleanup(n.kill)
	return n
}

func (n *nginx) url(s sandbox.ListSource) string {
	return "http://" + n.address + "/" + s.Name() + ".crl"
}

// put replaces a list as an operator should: whole, by a rename. nginx knows a file by its size and the second of its time.
func (n *nginx) put(s sandbox.ListSource, der []byte, at time.Time) {
	n.t.Helper()
	temp := filepath.Join(n.lists, "next")
	if err := os.WriteFile(temp, der, 0o600); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Chtimes(temp, at, at); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Rename(temp, filepath.Join(n.lists, s.Name()+".crl")); err != nil {
		n.t.Fatal(err)
	}
}

// answers counts what nginx answered, as it logged it: status and content coding.
func (n *nginx) answers(kind string) int {
	n.t.Helper()
	log, err := os.ReadFile(n.log)
	if err != nil {
		n.t.Fatal(err)
	}
	return strings.Count(string(log), " "+kind+"\n")
}

// slapd serves lists as attributes of the entries that their distribution points name.
type slapd struct {
	process
	dir, config, suffix string
}

const slapdPassword = "not a secret"

func newSlapd(t *testing.T) *slapd {
	t.Helper()
	binary := program(t, "slapd")
	for _, tool := range []string{"slapadd", "ldapmodify"} {
		program(t, tool)
	}
	dir := t.TempDir()
	s := &slapd{dir: dir, config: filepath.Join(dir, "slapd.conf"), suffix: "o=Tashika Sandbox JPKI,c=JP"}
	config := fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/pid
database mdb
maxsize 268435456
suffix "%[2]s"
rootdn "cn=admin,%[2]s"
rootpw "%[3]s"
directory %[1]s/db
access to * by * read
`, dir, s.suffix, slapdPassword)
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	s.process = process{t: t, address: address, out: filepath.Join(dir, "out"), argv: []string{binary, "-f", s.config, "-h", "ldap://" + address, "-d", "0"}}
	t.Cleanup(s.kill)
	return s
}

// load makes the tree before the server's first start: the organization, what is between, and an entry for each list.
func (s *slapd) load(lists map[string][]byte) {
	s.t.Helper()
	var ldif bytes.Buffer
	fmt.Fprintf(&ldif, "dn: %s\nobjectClass: organization\no: Tashika Sandbox JPKI\n\n", s.suffix)
	made := map[string]bool{}
	var above func(dn string)
	above = func(dn string) {
		rdn, parent, _ := strings.Cut(dn, ",")
		if made[dn] || strings.EqualFold(dn, s.suffix) {
			return
		}
		above(parent)
		fmt.Fprintf(&ldif, "dn: %s\nobjectClass: organizationalUnit\nou: %s\n\n", dn, strings.TrimPrefix(rdn, "OU="))
		made[dn] = true
	}
	for dn, der := range lists {
		rdn, parent, _ := strings.Cut(dn, ",")
		above(parent)
		fmt.Fprintf(&ldif, "dn: %s\nobjectClass: cRLDistributionPoint\ncn: %s\ncertificateRevocationList;binary:: %s\n\n", dn, strings.TrimPrefix(rdn, "CN="), base64.StdEncoding.EncodeToString(der))
	}
	s.tool("slapadd", ldif.String(), "-f", s.config)
}

// modify has the server change an entry.
func (s *slapd) modify(dn, change string) {
	s.t.Helper()
	s.tool("ldapmodify", "dn: "+dn+"\n"+change+"\n", "-x", "-H", "ldap://"+s.address, "-D", "cn=admin,"+s.suffix, "-w", slapdPassword)
}

func replaceLists(ders ...[]byte) string {
	change := "changetype: modify\nreplace: certificateRevocationList;binary"
	for _, der := range ders {
		change += "\ncertificateRevocationList;binary:: " + base64.StdEncoding.EncodeToString(der)
	}
	return change
}

func (s *slapd) tool(name, input string, args ...string) {
	s.t.Helper()
	file := filepath.Join(s.dir, "input.ldif")
	if err := os.WriteFile(file, []byte(input), 0o600); err != nil {
		s.t.Fatal(err)
	}
	flag := "-f"
	if name == "slapadd" {
		flag = "-l"
	}
	if out, err := exec.Command(program(s.t, name), append(args, flag, file)...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v: %.2000s", name, err, out)
	}
}

// TestRealServers: lists from nginx and from slapd are fetched, seen to be as they were, replaced, and outlive both servers.
func TestRealServers(t *testing.T) {
	web, tree := newNginx(t), newSlapd(t)
	clock := &hands{at: testNow}
	w, err := sandbox.New(sandbox.Config{Clock: clock.now, PublicURL: "http://127.0.0.1:1", Revoked: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	set := sandboxSet(t, w)
	list := func(s sandbox.ListSource) []byte {
		t.Helper()
		der, err := w.CRL(s.ListID)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}

	// A holder in each of six partitions, three lists on either server.
	type place struct {
		sandbox.ListSource
		phone *sandbox.Phone
		held  *pkix.Certificate
	}
	var places []place
	var sources []Source
	entries := map[string][]byte{}
	for _, s := range w.Sources().Lists {
		if s.Authority != sandbox.Auth || s.Generation != sandbox.Generations || len(places) == 6 {
			continue
		}
		phone, err := w.Issue(someone(), sandbox.IssueOptions{Municipality: s.Municipality, Key: sandbox.P256})
		if err != nil {
			t.Fatal(err)
		}
		c, err := pkix.ParseCertificate(phone.Certificate(sandbox.Auth).DER)
		if err != nil {
			t.Fatal(err)
		}
		source := Source{Name: s.Name(), Partition: s.PartitionDER, IssuerKeyID: s.KeyID, Required: true, Stall: 3 * time.Second}
		switch n := len(places); {
		case n < 3:
			web.put(s, list(s), testNow)
			source.URL = web.url(s)
		case n < 5: // the partition's name is that of the entry
			entries[s.Partition] = list(s)
			source.URL = "ldap://" + tree.address
		default:
			entries[s.Partition] = list(s)
			source.URL = (&url.URL{Scheme: "ldap", Host: tree.address, Path: "/" + s.Partition, RawQuery: "certificateRevocationList;binary?base"}).String()
		}
		places, sources = append(places, place{s, phone, c}), append(sources, source)
	}
	tree.load(entries)
	web.start()
	tree.start()
	l := start(t, Config{Anchors: set, Allow: allow, Clock: clock.now, Sources: sources, StateDir: t.TempDir()})

	fetched := func() { // where the machine has better things to do, a list may miss its pace: it is fetched again
		t.Helper()
		var err error
		for range 10 {
			if err = l.RefreshAll(context.Background()); err == nil {
				return
			}
		}
		t.Fatal(err)
	}
	expect := func(when string, number string, revoked bool) {
		t.Helper()
		for _, p := range places {
			index, source := l.List(set.ByKeyID(p.held.Issuer, p.held.AuthorityKeyID)[0], p.held)
			if index == nil || source != p.Name() || index.Number() != number || index.Entries() < 20_000 {
				t.Errorf("%s: %s of %q, want list %s", when, p.Name(), source, number)
				continue
			}
			if _, is, err := index.Lookup(p.held.SerialNumber); err != nil || is != revoked {
				t.Errorf("%s: %s: revoked %v, %v", when, p.Name(), is, err)
			}
		}
	}
	failing := func(when string, at int, want Failure) {
		t.Helper()
		if s := sourceState(t, l, places[at].Name()); s.Failure != want || !s.LastFailure.Equal(clock.now()) || s.State != Fresh {
			t.Errorf("%s: %+v, want %v", when, s, want)
		}
	}
	outage := func(when string, want Failure) {
		t.Helper()
		clock.set(clock.now().Add(time.Second))
		if l.RefreshAll(context.Background()) == nil {
			t.Errorf("%s: no error", when)
		}
		for i := range places {
			failing(when, i, want)
		}
	}

	fetched()
	expect("at first", "1", false)
	if web.answers("200 gzip") != 3 || web.answers("304 -") != 0 {
		t.Errorf("nginx compressed %d of 3 lists", web.answers("200 gzip"))
	}
	before := l.snapshot.Load()
	fetched()
	expect("as it was", "1", false)
	if web.answers("304 -") != 3 || web.answers("200 gzip") != 3 {
		t.Errorf("nginx answered 304 %d times of 3", web.answers("304 -"))
	}
	if l.snapshot.Load() != before {
		t.Error("a list that is as it was came into service again")
	}

	replace := func() {
		t.Helper()
		clock.set(clock.now().Add(time.Minute))
		for i, p := range places {
			if i < 3 {
				web.put(p.ListSource, list(p.ListSource), clock.now())
			} else {
				tree.modify(p.Partition, replaceLists(list(p.ListSource)))
			}
		}
	}
	for _, p := range places {
		if err := w.ReportLost(p.phone); err != nil {
			t.Fatal(err)
		}
	}
	expect("before the fetch", "1", false)
	replace()
	fetched()
	expect("replaced", "2", true)

	// What a directory can do wrong by itself. The last good list serves.
	clock.set(clock.now().Add(time.Second))
	good := list(places[3].ListSource)
	tree.modify(places[3].Partition, "changetype: delete")
	tree.modify(places[4].Partition, replaceLists(list(places[4].ListSource), list(places[3].ListSource)))
	if l.RefreshAll(context.Background()) == nil {
		t.Error("an entry is gone, another has two lists, and nothing is said")
	}
	failing("no such entry", 3, FetchLDAPResult)
	failing("two lists", 4, FetchLDAPResult)
	expect("with a damaged directory", "2", true)
	tree.modify(places[3].Partition, "changetype: add\nobjectClass: cRLDistributionPoint\ncn: "+strings.TrimPrefix(strings.Split(places[3].Partition, ",")[0], "CN="))
	clock.set(clock.now().Add(time.Second))
	if l.RefreshAll(context.Background()) == nil {
		t.Error("an entry has no list, and nothing is said")
	}
	failing("no list in the entry", 3, FetchLDAPResult)
	tree.modify(places[3].Partition, replaceLists(good))
	tree.modify(places[4].Partition, replaceLists(list(places[4].ListSource)))

	// Frozen: connections are accepted, and nothing comes.
	web.freeze()
	tree.freeze()
	outage("frozen", FetchTimeout)
	expect("frozen", "2", true)
	web.thaw()
	tree.thaw()
	fetched()

	web.kill()
	tree.kill()
	outage("killed", FetchUnreachable)
	expect("killed", "2", true)
	if !l.Ready(clock.now()) {
		t.Error("not ready though every list is in its time")
	}
	for _, p := range places {
		if err := w.LiftStop(p.phone); err != nil {
			t.Fatal(err)
		}
	}
	web.start()
	tree.start()
	replace()
	fetched()
	expect("started again", "3", false)
	for _, p := range places {
		if s := sourceState(t, l, p.Name()); s.State != Fresh || s.LastFetch.Before(s.LastFailure) {
			t.Errorf("started again: %+v", s)
		}
	}
}
