package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/tashika-jp/tashika/certs/anchors"
	"github.com/tashika-jp/tashika/certs/profile"
	"github.com/tashika-jp/tashika/certs/sandbox"
	"github.com/tashika-jp/tashika/client"
	sandboxv1 "github.com/tashika-jp/tashika/proto/tashika/sandbox/v1"
	"github.com/tashika-jp/tashika/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// scene is the pretend world, the server and the ways into it.
type scene struct {
	world  *sandbox.World
	server *server.Server
	doors  []door
	tokens map[string]string // by relying party
	ended  chan error        // the server's end
	close  func()

	mu     sync.Mutex
	holder int // the next
	marked int // the next of sandbox.Holders that may be one with substitute characters
}

// nextHolder is the next invented person without substitute characters. Those who have some are few, and kept for the
// scenarios that are about them.
func (s *scene) nextHolder() sandbox.Holder {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		s.holder++
		if h := sandbox.HolderN(s.holder - 1); !marked(h) {
			return h
		}
	}
}

// nextMarked is the next who has substitute characters.
func (s *scene) nextMarked() sandbox.Holder {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range sandbox.Holders()[s.marked:] {
		s.marked++
		if marked(h) && h.Municipality != staleMunicipality {
			return h
		}
	}
	panic(must{errors.New("there is nobody left who has substitute characters")})
}

// refresh makes the server fetch all lists now. What it refuses is part of some scenarios, and it says so
// in its log and in ListSources.
func (s *scene) refresh(ctx context.Context) { _ = s.server.Refresh(ctx) }

// heal ends all faults but the one that belongs to the world: the lists of one municipality are past their
// nextUpdate.
func (s *scene) heal() {
	s.world.ClearFaults()
	for _, a := range s.world.Anchors() {
		list := sandbox.ListID{Authority: a.Authority, Generation: a.Generation, Municipality: staleMunicipality}
		check(s.world.SetListFault(list, sandbox.ListFault{Kind: sandbox.ListStale}))
	}
}

// parties are the relying parties and what each was granted.
var parties = map[string][]profile.Use{
	kiosk:      {profile.ConvenienceStoreIssuance},
	otherKiosk: {profile.ConvenienceStoreIssuance},
	clinic:     {profile.HealthInsurance, profile.ConvenienceStoreIssuance},
	kyc:        {profile.PrivateIdentityVerification},
}

// size of the world; zeros are the few municipalities that scenarios are about.
type size struct{ partitions, revoked int }

// open makes the world, starts the server on it and waits until it is ready.
func open(ctx context.Context, size size, grpcAddress, httpAddress, jlisAddress string, progress, log io.Writer) (*scene, error) {
	fmt.Fprintln(progress, "模擬 J-LIS を準備しています / preparing a pretend J-LIS: authorities, keys, lists, responders …")
	listener, err := listenLoopback(jlisAddress)
	if err != nil {
		return nil, err
	}
	keys := sandbox.NewKeyPool(sandbox.KeyPoolConfig{Ahead: 32, Workers: 1})
	world, err := sandbox.New(sandbox.Config{
		PublicURL: "http://" + listener.Addr().String(), Keys: keys, Partitions: size.partitions, Revoked: size.revoked,
	})
	if err != nil {
		return nil, err
	}
	s := &scene{world: world, tokens: map[string]string{}, ended: make(chan error, 1)}
	s.heal()
	first := &tally{handler: world.Handler(), of: len(world.Sources().Lists)}
	jlis := &http.Server{Handler: first, ReadHeaderTimeout: 10 * time.Second}
	go jlis.Serve(listener)

	manifest := ""
	if size.partitions > 0 {
		dir, err := os.MkdirTemp("", "tashika-sandbox-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir) // read when the server is made, and only then
		manifest = filepath.Join(dir, "lists.csv")
	}
	config, err := s.config(grpcAddress, httpAddress, manifest, log)
	if err != nil {
		return nil, err
	}
	if s.server, err = server.New(config); err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	go func() { s.ended <- s.server.Run(serving) }()
	s.close = func() {
		stop()
		select {
		case <-s.ended:
		case <-time.After(30 * time.Second):
		}
		jlis.Close()
	}
	if size.partitions > 0 {
		stopTelling := first.tell(progress)
		s.refresh(ctx)
		stopTelling()
	} else {
		s.refresh(ctx)
	}
	if err := s.openDoors(); err != nil {
		s.close()
		return nil, err
	}
	fmt.Fprintf(progress, "gRPC %s   HTTP http://%s   J-LIS %s\n\n", fmt.Sprint(s.server.GRPCAddr()), fmt.Sprint(s.server.HTTPAddr()), world.PublicURL())
	return s, nil
}

// listenLoopback refuses every address but loopback: secrets of the world are public.
func listenLoopback(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("%s is not a loopback address, and the sandbox listens nowhere else", address)
	}
	return net.Listen("tcp", address)
}

// writeManifest writes the table of all lists but those that are stale on purpose, which it returns.
func (s *scene) writeManifest(path string, lists []sandbox.ListSource) (apart []sandbox.ListSource, err error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	lists = slices.DeleteFunc(lists, func(l sandbox.ListSource) bool {
		if l.Municipality == staleMunicipality {
			apart = append(apart, l)
		}
		return l.Municipality == staleMunicipality
	})
	return apart, errors.Join(sandbox.WriteManifest(file, lists), file.Close())
}

// config is the server's configuration for the world, as an operator would write it. Where there is to be a manifest it
// has the lists.
func (s *scene) config(grpcAddress, httpAddress, manifest string, log io.Writer) (server.Config, error) {
	c := server.Config{
		Listen: server.Listen{GRPC: grpcAddress, HTTP: httpAddress, Plaintext: "loopback-only"},
		Anchors: server.Anchors{Set: "sandbox", Policies: map[string][]string{
			profile.MobileSign.String(): {sandbox.PolicyMobileSign}, profile.MobileAuth.String(): {sandbox.PolicyMobileAuth},
		}},
		Metrics:  server.Metrics{Address: "none"},
		Clock:    s.world.Now,
		Logger:   slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: quiet})),
		Services: []server.Service{{Register: s.registrar(), Gateway: s.gateway}},
	}
	for _, a := range s.world.Anchors() {
		ca := anchors.Auth
		if a.Authority == sandbox.Sign {
			ca = anchors.Sign
		}
		c.AnchorSources = append(c.AnchorSources, anchors.Source{DER: a.DER, CA: ca})
	}
	each := server.ListSource{Period: time.Minute, Timeout: 5 * time.Second}
	lists := s.world.Sources().Lists
	if manifest != "" {
		var err error
		if lists, err = s.writeManifest(manifest, lists); err != nil {
			return c, err
		}
		nation := each
		nation.Name, nation.Manifest, nation.Period = "nation", manifest, time.Hour
		c.Revocation.Sources = append(c.Revocation.Sources, nation)
	}
	for _, list := range lists {
		one := each
		one.Name, one.URL, one.Partition, one.IssuerKeyID = list.Name(), list.URL, list.Partition, hex.EncodeToString(list.KeyID)
		one.Optional = list.Municipality == staleMunicipality
		c.Revocation.Sources = append(c.Revocation.Sources, one)
	}
	for _, r := range s.world.Sources().OCSP {
		c.Revocation.Responders = append(c.Revocation.Responders, server.Responder{
			Name: fmt.Sprintf("ocsp-%s-g%d", r.Authority, r.Generation), URL: r.URL, IssuerKeyID: hex.EncodeToString(r.KeyID),
		})
	}
	for name, uses := range parties {
		secret := make([]byte, 32)
		if _, err := rand.Read(secret); err != nil {
			return c, err
		}
		s.tokens[name] = base64.RawURLEncoding.EncodeToString(secret)
		sum := sha256.Sum256([]byte(s.tokens[name]))
		c.RelyingParties = append(c.RelyingParties, server.RelyingParty{
			Name: name, Uses: uses, BearerTokenSHA256: []string{hex.EncodeToString(sum[:])}, Rate: server.Rate{PerSecond: 1000},
		})
	}
	return c, nil
}

// quiet keeps the log to what went wrong in our own house: the scenarios make sources fail on purpose.
const quiet = slog.LevelError + 1

// registrar registers one SandboxService at both doors.
func (s *scene) registrar() func(grpc.ServiceRegistrar) {
	one := &service{scene: s, impostors: map[sandboxv1.Flaw]*sandbox.Impostor{}, foreign: map[string]*sandbox.Phone{}}
	return func(r grpc.ServiceRegistrar) { sandboxv1.RegisterSandboxServiceServer(r, one) }
}

func (s *scene) gateway(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
	return sandboxv1.RegisterSandboxServiceHandlerClient(ctx, mux, sandboxv1.NewSandboxServiceClient(conn))
}

// openDoors makes a client for each relying party, a plain HTTP client for all, and a bare connection for streams.
func (s *scene) openDoors() error {
	g := &grpcDoor{clients: map[string]*client.Client{}}
	for name, token := range s.tokens {
		c, err := client.New(client.Config{Target: fmt.Sprint(s.server.GRPCAddr()), Token: token, PlaintextLoopback: true})
		if err != nil {
			return err
		}
		g.clients[name] = c
	}
	conn, err := grpc.NewClient(s.server.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	h := &httpDoor{base: "http://" + fmt.Sprint(s.server.HTTPAddr()), tokens: s.tokens}
	s.doors = []door{g, h, newStreamDoor(conn, s.tokens), batchDoor{h}}
	return nil
}
