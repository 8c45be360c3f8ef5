// Vitest's reporter that writes what failed to the file that FAILURES_FILE names, as JSON: one entry per failure, with the first line of its
// message. Vitest's own report does not have the errors that happened outside of every test.
import { writeFileSync } from "node:fs";

export default class FailuresReporter {
  onTestRunEnd(modules, unhandled) {
    const failures = [
      ...modules.flatMap(failuresIn),
      ...unhandled.map((error) => failure(undefined, "outside of a test", error)),
    ];
    writeFileSync(process.env.FAILURES_FILE, JSON.stringify(failures));
  }
}

function failuresIn(module) {
  const { moduleId: file, children } = module;
  const ofHooks = [module, ...children.allSuites()].flatMap((suite) =>
    suite.errors().map((error) => failure(file, suite.fullName ?? file, error)),
  );
  const ofTests = [...children.allTests("failed")].map((test) =>
    failure(file, test.fullName, test.result().errors?.[0]),
  );
  return [...ofHooks, ...ofTests];
}

function failure(file, test, error) {
  return { file, test, message: String(error?.message).trimStart().split("\n", 1)[0] };
}
