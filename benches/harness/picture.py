"""A picture as SVG: on a ground of its own, so that it works in light and dark, in letters that can be read on a phone."""

from xml.sax.saxutils import escape

WIDTH = 560  # shown at 360 on a phone: letters of 17 are 11 there
INK, FAINT, LINES, GROUND, EDGE = "#1d2433", "#5b6475", "#e3e6ec", "#ffffff", "#ccd2dc"
VESTIBULE_COLOUR = "#1b62c4"


class Picture:
    """Elements from top to bottom; `y` is where the next goes."""

    def __init__(self, title, description):
        self.title, self.description, self.parts, self.y = title, description, [], 20

    def text(self, x, y, text, *, size=17, fill=INK, anchor="start", weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" '
                          f'font-weight="{weight}">{escape(text)}</text>')

    def heading(self, text, note=None):
        self.y += 22
        self.text(20, self.y, text, size=21, weight="600")
        if note:
            self.y += 24
            self.text(20, self.y, note, size=16, fill=FAINT)
        self.y += 12

    def line(self, points, stroke, *, width=1.0, dash=""):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width}" '
                          f'stroke-linejoin="round"{f" stroke-dasharray={chr(34)}{dash}{chr(34)}" if dash else ""}/>')

    def svg(self):
        height = self.y + 20
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}" '
                f'role="img" aria-labelledby="title description" font-family="system-ui, -apple-system, \'Segoe UI\', sans-serif">\n'
                f'<title id="title">{escape(self.title)}</title>\n<desc id="description">{escape(self.description)}</desc>\n'
                f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="10" fill="{GROUND}" stroke="{EDGE}"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")
