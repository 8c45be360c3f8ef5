/** One reading of a `/metrics`. */
export interface Scrape {
  readonly status: number;
  readonly text: string;
  /** Of the series with exactly these labels; undefined if there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
  /** A label's values in the series of a metric. */
  labelValues(name: string, label: string): string[];
  /** Of all metrics, including those without series. */
  readonly names: ReadonlySet<string>;
}

const SERIES = /^([a-z_]\w*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

export async function scrape(url: string): Promise<Scrape> {
  // A new connection: a kept one may lead to a dead process.
  const response = await fetch(url, { headers: { connection: "close" } });
  const text = await response.text();
  const series = text.split("\n").flatMap((line) => {
    const [, name = "", given = "", value] = SERIES.exec(line) ?? [];
    if (value === undefined) return [];
    const labels = [...given.matchAll(LABEL)].map(([, label = "", text = ""]) => [label, text] as const);
    return [{ name, labels: Object.fromEntries(labels), value: Number(value) }];
  });
  return {
    status: response.status,
    text,
    names: new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = ""]) => name)),
    value: (name, labels = {}) =>
      series.find((one) => one.name === name && sameLabels(one.labels, labels))?.value,
    labelValues: (name, label) => [
      ...new Set(series.filter((one) => one.name === name).map(({ labels }) => labels[label] ?? "")),
    ],
  };
}

function sameLabels(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
