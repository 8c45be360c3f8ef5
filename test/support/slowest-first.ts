import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The files that last longest, the longest first: one that began last would run alone at the end. Vitest learns their durations, but
 * not in a new checkout.
 */
const slowest = [
  "verify/encryption-rollout",
  "pictures/console",
  "verify/first-job",
  "verify/examples",
  "integration/blocked-loop",
  "verify/up",
  "integration/crashes",
  "verify/crash-sweep",
  "integration/older-than-their-keys",
  "verify/half-moved",
  "integration/ledger-life",
  "browser/console",
  "verify/console-pages",
  "verify/console-away",
  "integration/clocks",
  "verify/reference",
  "integration/fairness",
  "verify/stop-at-any-moment",
  "verify/console-windows",
  "integration/bulk-acts",
  "integration/welcome-email",
  "verify/console-problems",
  "integration/schedules-cli",
  "verify/key-rotation",
  "integration/watched-requirements",
  "integration/change-of-queue",
  "integration/mailbox",
  "integration/no-doubt-gets-stuck",
  "verify/replicas",
  "integration/find-jobs",
  "verify/console-queues",
  "integration/schedule-overlap",
  "verify/generated-client",
  "integration/command-line",
  "integration/keyed-concurrency",
  "integration/subscribe-status",
  "integration/shared-children",
  "integration/idle-costs",
  "verify/paused-master",
  "integration/effects-forgotten",
  "integration/encryption",
  "integration/webhook",
  "verify/console-elsewhere",
  "verify/console-history",
  "verify/mailbox",
  "verify/test-runners",
  "integration/stuck-worker",
  "integration/refused-claims",
  "integration/retention-by-type",
  "verify/open-slot",
  "verify/sentinel",
  "integration/many-subscribers",
  "integration/schedulers-killed",
  "verify/console-large",
  "integration/partitions",
  "integration/one-attempt-at-a-time",
  "verify/encrypted-store",
  "integration/command-line-terminal",
  "verify/console-failures",
  "verify/deploy-files",
].map((name) => `test/${name}.test.ts`);

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
