import type { Application, SubmitOptions } from "holdfast";
import type { ProducibleJob } from "../../src/core/job/submit-options.ts";
import { submissionOf } from "../../src/core/submit/submission.ts";
import { openSubmitPath } from "../../src/core/submit/submit-path.ts";
import { features } from "../../src/features/index.ts";
import { type Environment, readSettings } from "../../src/platform/config/settings.ts";

/** Submits jobs as a scheduler does: with keys that clients may not use. */
export async function openOwnSubmitter(application: Application, env?: Environment) {
  const { submitter, stop } = await openSubmitPath(application, readSettings(env), features);
  return {
    submit: <PayloadIn>(job: ProducibleJob<PayloadIn>, payload: PayloadIn, options: SubmitOptions) =>
      submitter.submitOwn(submissionOf(job, payload, options)),
    stop,
  };
}
