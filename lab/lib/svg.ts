/** The style of all charts, light and dark, on a transparent background. */
const style = `
  svg { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; --ink: #1f2328; --faint: #59636e; --line: #d1d9e0;
    --good: #1a7f64; --bad: #bc4c00; --other: #8c959f; --one: #1a7f64; --two: #0969da; --three: #8250df; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #f0f6fc; --faint: #9198a1; --line: #3d444d;
      --good: #3fb997; --bad: #f0883e; --other: #656c76; --one: #3fb997; --two: #58a6ff; --three: #bc8cff; }
  }
  text { fill: var(--ink) } .faint { fill: var(--faint) } .end { text-anchor: end } .middle { text-anchor: middle }
  .grid { stroke: var(--line) } .axis { stroke: var(--faint) } .dashed { stroke-dasharray: 4 4 } .goal { stroke: var(--ink); stroke-width: 2 }
  .good { fill: var(--good) } .bad { fill: var(--bad) } .other { fill: var(--other) } .title { font-weight: 600 }
  .one { stroke: var(--one) } .two { stroke: var(--two) } .three { stroke: var(--three) }
  polyline { fill: none; stroke-width: 2 }`;

interface Chart {
  readonly width: number;
  readonly height: number;
  /** For readers who cannot see the chart. */
  readonly title: string;
  readonly elements: readonly string[];
}

export function svg({ width, height, title, elements }: Chart): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${style}\n</style>`,
    ...elements,
    "</svg>\n",
  ].join("\n");
}

export function text(x: number, y: number, content: string, classes = ""): string {
  return `<text x="${round(x)}" y="${round(y)}" class="${classes}">${escaped(content)}</text>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, classes: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${classes}"/>`;
}

/** A bar between two points, in any order. */
export function bar(from: number, to: number, y: number, height: number, classes: string): string {
  const width = Math.max(1, Math.abs(to - from));
  return `<rect x="${round(Math.min(from, to))}" y="${round(y)}" width="${round(width)}" height="${height}" rx="2" class="${classes}"/>`;
}

export function polyline(points: readonly (readonly [number, number])[], classes: string): string {
  return `<polyline points="${points.map((point) => point.map(round).join(",")).join(" ")}" class="${classes}"/>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
