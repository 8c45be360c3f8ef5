// The metrics of `docs/metrics.md`, from the one table that the code takes them by.

/** Every metric of ours with its labels, and which processes tell it. */
export async function metricsTable() {
  const { metricDefinitions } = await import("../../dist/telemetry/metric-definitions.js");
  const rows = Object.entries(metricDefinitions).map(
    ([name, { kind, labels, help, toldBy }]) =>
      `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${toldBy.join(", ")} | ${help} |`,
  );
  return ["| metric | kind | labels | told by | meaning |", "| --- | --- | --- | --- | --- |", ...rows].join(
    "\n",
  );
}
