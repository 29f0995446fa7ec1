package sandbox

// An Impostor is somebody else's world with this one's names: the same DNs, the
// same municipalities, the same profile, other keys. Nothing it issues may ever
// verify under the true anchors.
//
// Without forged identifiers its certificates carry the impostor's own key id in
// the AKI, so a verifier finds no issuer. With them the AKI equals the true CA's
// key id and serial, so a verifier finds an issuer, and only the signature tells.
//
// The impostor is a whole World (its phones live, its handler could be served),
// but hand out only its phones: its anchors are not to be trusted.
type Impostor struct{ *World }

// Impostor makes such a world. It shares this world's clock, keys pool and
// public URL as they are now, so its certificates point at the true responder.
func (w *World) Impostor(forgeIdentifiers bool) (*Impostor, error) {
	c := Config{
		Clock: w.clock, PublicURL: w.PublicURL(), Keys: w.keys,
		ListValidity: w.validity, ListOverlap: w.overlap, DailyLists: w.daily, Partitions: len(w.municipalities),
	}
	if w.random != nil {
		c.Random = w.random // already safe to share
	}
	i, err := newWorld(c, w, forgeIdentifiers)
	if err != nil {
		return nil, err
	}
	return &Impostor{i}, nil
}
