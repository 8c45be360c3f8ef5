import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The files that last longest, the longest first: one that began last would run alone at the end. Vitest learns their durations, but
 * not in a new checkout. The first ones mostly wait, because the gate needs the processors while they run.
 */
const slowest = [
  "test/browser/console",
  "test/integration/ledger-life",
  "test/integration/blocked-loop",
  "test/verify/console-away",
  "test/verify/first-job",
  "test/integration/no-doubt-gets-stuck",
  "test/verify/compatibility",
  "test/integration/clocks",
  "test/integration/command-line",
  "test/verify/examples",
  "test/verify/reference",
  "test/integration/schedules-cli",
  "test/integration/bulk-acts",
  "test/integration/find-jobs",
  "test/verify/key-rotation",
  "test/verify/up",
  "test/verify/replicas",
  "test/integration/schedule-overlap",
  "test/integration/change-of-queue",
  "test/integration/welcome-email",
  "test/verify/stop-at-any-moment",
  "test/integration/crashes",
  "test/integration/subscribe-status",
  "test/verify/mailbox",
  "test/integration/client",
  "test/integration/doctor",
  "test/integration/queues",
  "test/verify/console-large",
  "test/integration/partitions",
  "test/integration/keyed-concurrency",
  "test/integration/stuck-worker",
  "test/integration/one-attempt-at-a-time",
  "test/integration/mail-server",
  "test/integration/schedule-pauses",
  "test/integration/schedulers-killed",
  "test/integration/retention-by-type",
  "test/integration/command-line-terminal",
  "test/verify/console-history",
  "test/verify/generated-client",
  "test/verify/open-slot",
  "test/verify/console-elsewhere",
  "test/integration/webhook",
  "test/verify/console-queues",
  "test/integration/refused-claims",
  "test/verify/crash-sweep",
  "test/integration/application-env",
  "test/integration/status",
  "test/verify/console-failures",
  "test/integration/effects",
  "test/integration/refused-ends",
  "test/integration/observe",
].map((name) => `${name}.test.ts`);

/** Begins with the slowest files; the others follow as Vitest sorts them, those of the unit tests last. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification) => {
      const index = slowest.indexOf(relative(this.ctx.config.root, moduleId));
      return index === -1 ? slowest.length : index;
    };
    // A process is shared by files of one project that follow each other.
    const projects = (file: TestSpecification) => Number(file.project.name === "unit");
    return sorted.sort((a, b) => rank(a) - rank(b) || projects(a) - projects(b));
  }
}
