import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The files that last longest, the longest first: one that began last would run alone at the end. Vitest learns their durations, but
 * not in a new checkout. Files with a browser, which need a processor, stand between those that mostly wait.
 */
const slowest = [
  "integration/compatibility",
  "browser/console",
  "integration/first-job",
  "integration/blocked-loop",
  "browser/console-away",
  "integration/examples",
  "integration/crash-sweep",
  "browser/console-large",
  "integration/schedules-cli",
  "integration/mail-server",
  "browser/console-history",
  "integration/application-env",
  "integration/command-line",
  "browser/reference",
  "integration/no-doubt-gets-stuck",
  "integration/stuck-worker",
  "browser/mailbox",
  "integration/schedulers-killed",
  "integration/ledger-life",
  "browser/client",
  "integration/crashes",
  "integration/test-runners",
  "browser/console-elsewhere",
  "integration/clocks",
  "integration/key-rotation",
  "browser/console-failures",
  "integration/schedule-overlap",
  "integration/many-subscribers",
  "browser/console-queues",
  "integration/replicas",
  "integration/generated-client",
  "integration/bulk-acts",
  "browser/rebinding",
].map((name) => `test/${name}.test.ts`);

/** Begins with the slowest files; the others follow as Vitest sorts them. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification) => {
      const index = slowest.indexOf(relative(this.ctx.config.root, moduleId));
      return index === -1 ? slowest.length : index;
    };
    return sorted.sort((a, b) => rank(a) - rank(b));
  }
}
