// Imports what a producer needs, and reports how long that took and the memory of the process.
const imports = {
  async holdfast() {
    const { createProducer, defineConfig } = await import("holdfast");
    await import("zod");
    // Loads the rest, and connects to nothing: the prefix is refused.
    const application = defineConfig({ jobs: [], handlers: async () => [] });
    await createProducer(application, { HOLDFAST_PREFIX: "!" }).catch(() => {});
  },
  async bullmq() {
    await import("bullmq");
    await import("zod");
  },
};

const [, , name] = process.argv;
const begun = performance.now();
await (name === "holdfast" ? imports.holdfast() : imports.bullmq());
const ms = performance.now() - begun;
process.send?.({ ms, mebibytes: process.memoryUsage.rss() / 2 ** 20 });
