// What the README and the site show as proof: the latest published results of the fault laboratory and of the benchmark.
import { readFileSync } from "node:fs";

const read = (file) => JSON.parse(readFileSync(file, "utf8"));
const grouped = new Intl.NumberFormat("en");

/** Sums over all experiments. */
function laboratoryCounts() {
  const results = read("docs/reliability.json");
  const sum = (kind) => results.reduce((total, { outcome }) => total + (outcome.counts[kind] ?? 0), 0);
  const controls = results.flatMap(({ outcome }) => outcome.controls);
  return {
    experiments: new Set(results.map(({ number }) => number)).size,
    jobs: sum("acknowledged"),
    faults: sum("faults"),
    lost: sum("lost"),
    repeated: sum("repeated"),
    doubts: sum("doubtDone") + sum("doubtNotDone"),
    stuck: sum("stuck"),
    controls: controls.length,
    caught: controls.filter(({ isCaught }) => isCaught).length,
  };
}

/** The benchmark's rows that matter most, the missed goals among them. */
function benchmarkRatios() {
  const { rows } = read("docs/performance.json");
  const ratio = (name) => times(rows.find((row) => row.name === name).ratio.median);
  const count = (verdict) => rows.filter((row) => row.verdict === verdict).length;
  return {
    submit: ratio("http-submit"),
    status: ratio("status"),
    work: ratio("work"),
    effect: ratio("work-effect"),
    reached: count("reached"),
    missed: count("missed"),
  };
}

function times(ratio) {
  return `${grouped.format(ratio >= 10 ? Math.round(ratio) : Number(ratio.toPrecision(2)))} ×`;
}

/** For the README. */
export function proofList() {
  const lab = laboratoryCounts();
  const bench = benchmarkRatios();
  return [
    `- **${number(lab.faults)} faults** in ${lab.experiments} experiments with ${number(lab.jobs)} jobs: **${lab.lost} jobs lost, ${lab.repeated} effects repeated**,`,
    `  ${number(lab.doubts)} doubts reported and ${lab.stuck} of them stuck. With one protection removed, the same checks failed in ${lab.caught} of ${lab.controls} cases,`,
    "  so they do find faults. [The laboratory's report](docs/RELIABILITY.md)",
    `- **HTTP submission: ${bench.submit}** a hand-written Express and BullMQ service. **Status** with a million jobs waiting: ${bench.status} \`getJob\` and`,
    `  \`getState\`. **A worker** reaches ${bench.work} bare BullMQ, and ${bench.effect} with a guarded effect, whose reservation is on disk before it begins.`,
    `  Of the benchmark's goals, ${bench.reached} are reached and ${bench.missed} missed. [The benchmark](docs/PERFORMANCE.md)`,
  ].join("\n");
}

/** Experiments whose faults are those of everyday operation, and what such a fault is called. */
const everyday = {
  15: "workers restarted one by one, as in a deploy",
  6: "any process killed with SIGKILL, at a random moment",
  1: "a worker killed at each of eight places around an effect",
  2: "a worker paused for longer than its lock",
  8: "Redis away for a while",
  5: "Redis killed under load",
  9: "Redis's memory full",
  10: "Redis's disk full",
  17: "a replica promoted under load",
  31: "a provider that cuts off, delays or garbles its answer",
};

/** For why-not.md. */
export function doubtsByFault() {
  const results = new Map(
    read("docs/reliability.json")
      .filter(({ store }) => store === undefined)
      .map((result) => [result.number, result.outcome.counts]),
  );
  const order = [15, 8, 5, 17, 6, 2, 9, 1, 10, 31];
  const rows = order.map((experiment) => {
    const { faults, acknowledged, doubtDone, doubtNotDone } = results.get(experiment);
    const doubts = doubtDone + doubtNotDone;
    const link = `[${experiment}](RELIABILITY.md)`;
    return `| ${everyday[experiment]} | ${number(faults)} | ${number(acknowledged)} | ${number(doubts)} | ${(doubts / faults).toFixed(2)} | ${link} |`;
  });
  return [
    "| fault | faults | jobs | doubts | for each fault | experiment |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

/** For the site's first page. */
export function proofTiles() {
  const lab = laboratoryCounts();
  const bench = benchmarkRatios();
  const tiles = [
    [number(lab.faults), `injected faults: kills, pauses, outages, in ${lab.experiments} experiments`],
    [number(lab.jobs), "jobs accepted meanwhile"],
    [String(lab.lost), "jobs lost", "good"],
    [String(lab.repeated), "effects repeated", "good"],
    [number(lab.doubts), `doubts reported; ${lab.stuck} of them stuck`],
    [`${lab.caught} of ${lab.controls}`, "controls caught: the checks fail when a protection is removed"],
    [bench.submit, "HTTP submission, against Express and BullMQ by hand"],
    [bench.effect, "a worker with a guarded effect, against bare BullMQ: what it costs"],
  ];
  const html = tiles.map(
    ([value, text, tone = ""]) => `<li><strong class="${tone}">${value}</strong> <span>${text}</span></li>`,
  );
  return `<ul class="proof">\n${html.join("\n")}\n</ul>`;
}

function number(value) {
  return grouped.format(value);
}
