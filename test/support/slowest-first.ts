import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import slowest from "../slowest.json" with { type: "json" };

/**
 * Begins with the files that last longest, which `test/slowest.json` lists: one that began last would run alone at the end. Vitest learns
 * their durations, but not in a new checkout. The others follow as Vitest sorts them. All unit tests are last.
 */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification) => {
      const index = slowest.indexOf(relative(this.ctx.config.root, moduleId));
      return index === -1 ? slowest.length : index;
    };
    // Files of one project that follow each other share a process; a new one imports everything again, which takes seconds.
    const project = (file: TestSpecification) => Number(file.project.name === "unit");
    return sorted.sort((a, b) => project(a) - project(b) || rank(a) - rank(b));
  }
}
