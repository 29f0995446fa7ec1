package main

import (
	"fmt"
	"math"
	"strings"
)

// The drawing has its own background and colours for light and dark, so that it can be read wherever it is shown.
const plotStyle = `
  text { fill: #1f2328; font: 13px sans-serif; } .title { font-weight: bold; } .mid { text-anchor: middle; } .end { text-anchor: end; }
  .paper { fill: #ffffff; } .grid { stroke: #d1d9e0; } .frame { stroke: #1f2328; fill: none; }
  .a { stroke: #0969da; } .b { stroke: #6e7781; } .c { stroke: #cf222e; } .d { stroke: #8250df; }
  .dot.a { fill: #0969da; } .dot.b { fill: #6e7781; } .dot.c { fill: #cf222e; } .dot.d { fill: #8250df; }
  .line { fill: none; stroke-width: 2; } .line.dash { stroke-dasharray: 5 4; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .paper { fill: #0d1117; } .grid { stroke: #30363d; } .frame { stroke: #e6edf3; }
    .a { stroke: #58a6ff; } .b { stroke: #9198a1; } .c { stroke: #ff7b72; } .d { stroke: #bc8cff; }
    .dot.a { fill: #58a6ff; } .dot.b { fill: #9198a1; } .dot.c { fill: #ff7b72; } .dot.d { fill: #bc8cff; }
  }
`

const (
	panelWidth  = 420
	panelHeight = 240
	marginLeft  = 80
	marginTop   = 70
	legendWidth = 250
	panelGap    = 80
)

// series is one line: a value for each size, NaN where there is none.
type series struct {
	name, class string
	values      []float64
}

// panel is one diagram of values against size, both logarithmic.
type panel struct {
	title  string
	unit   func(exponent int) string // of a power of ten
	series []series
}

// draw draws cost against size.
func draw(all []*listFigures) string {
	of := func(value func(*listFigures) float64) (out []float64) {
		for _, f := range all {
			out = append(out, value(f))
		}
		return out
	}
	panels := []panel{
		{"seconds until a list answers", seconds, []series{
			{"ready", "a", of(func(f *listFigures) float64 { return f.Ready })},
			{"the same from a dropped file", "a dash", of(func(f *listFigures) float64 { return f.taken })},
			{"reading and SHA-256 alone", "b dash", of(func(f *listFigures) float64 { return f.ReadSHA256 })},
			{"openssl crl -verify", "c", of(func(f *listFigures) float64 {
				if f.OpenSSL == nil {
					return math.NaN()
				}
				return *f.OpenSSL
			})},
			{"opened again after a restart", "d", of(func(f *listFigures) float64 { return f.Open })},
		}},
		{"size and memory", octets, []series{
			{"index", "a", of(func(f *listFigures) float64 { return f.IndexPerEntry * float64(f.Entries) })},
			{"the list, DER", "b dash", of(func(f *listFigures) float64 { return float64(f.DERBytes) })},
			{"memory, openssl", "c", of(func(f *listFigures) float64 {
				if f.OpenSSL == nil {
					return math.NaN()
				}
				return float64(f.opensslRSS)
			})},
			{"memory to load, ours", "d", of(func(f *listFigures) float64 { return float64(f.PeakLoad) })},
		}},
		{"one look-up", nanoseconds, []series{
			{"listed, median", "a", of(func(f *listFigures) float64 { return float64(f.HitP50) })},
			{"not listed, median", "d", of(func(f *listFigures) float64 { return float64(f.MissP50) })},
			{"99 of 100", "b dash", of(func(f *listFigures) float64 { return float64(f.LookupP99) })},
		}},
	}
	sizes := of(func(f *listFigures) float64 { return float64(f.Entries) })
	width := marginLeft + panelWidth + legendWidth
	height := marginTop + len(panels)*(panelHeight+panelGap)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="cost of a revocation list against its entries">`+"\n<style>%s</style>\n", width, height, width, height, plotStyle)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d"/>`+"\n", width, height)
	what := "a dense counter, one in twenty listed"
	if all[0].Serials == "random" {
		what = "128 random bits"
	}
	fmt.Fprintf(&b, `<text class="title" x="%d" y="26">What a revocation list costs, by its entries. Serial numbers: %s.</text>`+"\n", 14, what)
	for i, p := range panels {
		p.draw(&b, sizes, marginTop+i*(panelHeight+panelGap))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// draw draws a panel with its upper edge at top.
func (p *panel) draw(b *strings.Builder, sizes []float64, top int) {
	lowX, highX := decades(sizes)
	var values []float64
	for _, s := range p.series {
		values = append(values, s.values...)
	}
	lowY, highY := decades(values)
	x := func(v float64) float64 {
		return marginLeft + panelWidth*(math.Log10(v)-float64(lowX))/float64(highX-lowX)
	}
	y := func(v float64) float64 {
		return float64(top) + panelHeight*(float64(highY)-math.Log10(v))/float64(highY-lowY)
	}
	bottom := top + panelHeight
	fmt.Fprintf(b, `<text class="title" x="%d" y="%d">%s</text>`+"\n", marginLeft, top-12, p.title)
	for e := lowY; e <= highY; e++ {
		at := y(math.Pow10(e))
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text class="end" x="%d" y="%.1f">%s</text>`+"\n", marginLeft, marginLeft+panelWidth, at, at, marginLeft-8, at+4, p.unit(e))
	}
	for e := lowX; e <= highX; e++ {
		at := x(math.Pow10(e))
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/><text class="mid" x="%.1f" y="%d">%s</text>`+"\n", at, at, top, bottom, at, bottom+18, power(e))
	}
	fmt.Fprintf(b, `<text class="mid" x="%d" y="%d">entries</text>`+"\n", marginLeft+panelWidth/2, bottom+36)
	fmt.Fprintf(b, `<rect class="frame" x="%d" y="%d" width="%d" height="%d"/>`+"\n", marginLeft, top, panelWidth, panelHeight)
	for i, s := range p.series {
		var path strings.Builder
		for j, v := range s.values {
			if math.IsNaN(v) || v <= 0 {
				continue
			}
			fmt.Fprintf(&path, "%.1f,%.1f ", x(sizes[j]), y(v))
			fmt.Fprintf(b, `<circle class="dot %s" r="3" cx="%.1f" cy="%.1f"/>`+"\n", s.class, x(sizes[j]), y(v))
		}
		fmt.Fprintf(b, `<polyline class="line %s" points="%s"/>`+"\n", s.class, strings.TrimSpace(path.String()))
		left, at := marginLeft+panelWidth+16, top+14+i*22
		fmt.Fprintf(b, `<line class="line %s" x1="%d" x2="%d" y1="%d" y2="%d"/><text x="%d" y="%d">%s</text>`+"\n", s.class, left, left+26, at, at, left+34, at+4, s.name)
	}
}

// decades are the powers of ten that enclose all values; there are two at least.
func decades(values []float64) (low, high int) {
	low, high = math.MaxInt, math.MinInt
	for _, v := range values {
		if math.IsNaN(v) || v <= 0 {
			continue
		}
		low, high = min(low, int(math.Floor(math.Log10(v)))), max(high, int(math.Ceil(math.Log10(v))))
	}
	if low > high {
		return 0, 1
	}
	return low, max(high, low+1)
}

// power is a power of ten as people write it.
func power(exponent int) string {
	return "10" + strings.Map(func(r rune) rune {
		if r == '-' {
			return '⁻'
		}
		return []rune("⁰¹²³⁴⁵⁶⁷⁸⁹")[r-'0']
	}, fmt.Sprint(exponent))
}

func seconds(exponent int) string {
	switch {
	case exponent < -3:
		return fmt.Sprintf("%.0f µs", math.Pow10(exponent+6))
	case exponent < 0:
		return fmt.Sprintf("%.0f ms", math.Pow10(exponent+3))
	}
	return fmt.Sprintf("%.0f s", math.Pow10(exponent))
}

func octets(exponent int) string {
	switch {
	case exponent < 6:
		return fmt.Sprintf("%.0f kB", math.Pow10(exponent-3))
	case exponent < 9:
		return fmt.Sprintf("%.0f MB", math.Pow10(exponent-6))
	}
	return fmt.Sprintf("%.0f GB", math.Pow10(exponent-9))
}

func nanoseconds(exponent int) string {
	if exponent < 3 {
		return fmt.Sprintf("%.0f ns", math.Pow10(exponent))
	}
	return fmt.Sprintf("%.0f µs", math.Pow10(exponent-3))
}
