import { defineConfig } from "holdfast";
import { book, convert, exportJob, invite, pay, push, render, ship } from "./contracts.ts";

// #region limits
export default defineConfig({
  jobs: [push, convert, pay, ship, invite, exportJob, render, book],
  handlers: async () => (await import("./handlers.ts")).handlers,
  queues: {
    books: { concurrency: 50, rate: "100/1s" },
    exports: { globalConcurrency: 2 },
  },
});
// #endregion
