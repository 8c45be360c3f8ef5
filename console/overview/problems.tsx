import { counted } from "../parts/format.ts";
import { Text } from "../parts/link.tsx";
import type { ServiceProblem } from "../service/answers.ts";
import { refusesWork } from "../service/live.tsx";

/** What readiness and the doctor find bad, each with its remedy. Always in the page, so that screen readers announce it. */
export function Problems({ problems }: { readonly problems: readonly ServiceProblem[] }) {
  return (
    <div className="problems" role="status">
      {problems.length > 0 && (
        <section className="problem" aria-label="Problems">
          <h2 className="problem-title">
            {problems.some(refusesWork) ? "Work is refused" : "Something is wrong"}:{" "}
            {counted(problems.length, "problem")}
          </h2>
          <ul>
            {problems.map((problem) => (
              <li key={problem.message}>
                <Text of={problem.message} /> {problem.code !== null && <Text of={problem.code} isCode />}
                {problem.remedy !== "" && (
                  <p className="remedy">
                    <b>Remedy:</b> <Text of={problem.remedy} />
                  </p>
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}
