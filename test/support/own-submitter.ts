import type { Application, SubmitOptions } from "holdfast";
import { type Environment, readSettings } from "../../src/config/settings.ts";
import type { ProducibleJob } from "../../src/job/submit-options.ts";
import { submissionOf } from "../../src/submit/submission.ts";
import { openSubmitPath } from "../../src/submit/submit-path.ts";

/** Submits jobs as a scheduler does: with keys that clients may not use. */
export async function openOwnSubmitter(application: Application, env?: Environment) {
  const { submitter, stop } = await openSubmitPath(application, readSettings(env));
  return {
    submit: <PayloadIn>(job: ProducibleJob<PayloadIn>, payload: PayloadIn, options: SubmitOptions) =>
      submitter.submitOwn(submissionOf(job, payload, options)),
    stop,
  };
}
