package main

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// A chart has a bar for each value of each series, in groups; or if at is set, a
// line for each series, with both axes logarithmic.
type chart struct {
	file, title, x, y string
	log               bool
	groups            []string
	at                []float64
	series            []series
}

type series struct {
	name   string
	values []float64 // one for each group, or for each of at; NaN: none
}

// The first is ours. Those of Okabe and Ito, whom all eyes can tell apart.
var colors = []color.Color{
	color.RGBA{R: 0xd5, G: 0x5e, A: 0xff},
	color.RGBA{R: 0x99, G: 0x99, B: 0x99, A: 0xff},
	color.RGBA{G: 0x72, B: 0xb2, A: 0xff},
	color.RGBA{R: 0xe6, G: 0x9f, A: 0xff},
	color.RGBA{G: 0x9e, B: 0x73, A: 0xff},
	color.RGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff},
	color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff},
	color.RGBA{A: 0xff},
}

func (c chart) save(file string) error {
	p := plot.New()
	p.BackgroundColor = color.White // GitHub's dark theme would show black on black
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.title, c.x, c.y
	// The text is right of its colour: its width is the browser's to decide.
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs = true, true, 16.7*vg.Centimeter
	p.Legend.Padding = vg.Points(2)
	draw := c.bars
	if c.at != nil {
		draw = c.lines
	}
	if err := draw(p); err != nil {
		return err
	}
	return p.Save(25*vg.Centimeter, 11*vg.Centimeter, file)
}

func (c chart) bars(p *plot.Plot) error {
	const all = 11.0 // centimetres for the bars of all groups
	width := vg.Length(all/float64(len(c.series)*len(c.groups))) * vg.Centimeter
	for i, s := range c.series {
		bars, err := plotter.NewBarChart(plotter.Values(s.values), width)
		if err != nil {
			return err
		}
		bars.LineStyle.Width = 0
		bars.Color = colors[i%len(colors)]
		bars.Offset = vg.Length(float64(i)-float64(len(c.series)-1)/2) * width
		p.Add(bars)
		p.Legend.Add(s.name, bars)
	}
	p.NominalX(c.groups...)
	p.X.Max += 0.5 * float64(len(c.groups)) // room for the legend
	p.Y.Min = 0
	if c.log {
		p.Y.Min, p.Y.Max = 0.5, math.Pow(10, math.Ceil(math.Log10(p.Y.Max)))
		p.Y.Scale = logFrom{}
		p.Y.Tick.Marker = plot.LogTicks{Prec: -1}
	}
	return nil
}

func (c chart) lines(p *plot.Plot) error {
	for i, s := range c.series {
		var points plotter.XYs
		for j, v := range s.values {
			if !math.IsNaN(v) {
				points = append(points, plotter.XY{X: c.at[j], Y: v})
			}
		}
		if len(points) == 0 {
			continue
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		line.Color, dots.Color = colors[i%len(colors)], colors[i%len(colors)]
		line.Width = vg.Points(1.5)
		p.Add(line, dots)
		p.Legend.Add(s.name, line, dots)
	}
	p.Legend.XOffs = 0
	p.X.Scale, p.Y.Scale = logFrom{}, logFrom{}
	p.X.Max *= 1.4 // room for the last number
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	return nil
}

// A logFrom is a logarithmic scale on which bars, which begin at zero, begin at
// its end.
type logFrom struct{}

func (logFrom) Normalize(least, most, x float64) float64 {
	return math.Log(max(x, least)/least) / math.Log(most/least)
}
