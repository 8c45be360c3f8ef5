"use server";

import { HoldfastError } from "holdfast";
import { welcome } from "../jobs/contract";
import { openProducer } from "../lib/jobs";

export interface SignedUp {
  readonly jobId?: string;
  /** What is wrong with the form. */
  readonly issues?: readonly string[];
}

export async function signUp(_before: SignedUp, form: FormData): Promise<SignedUp> {
  const payload = { email: String(form.get("email")), name: String(form.get("name")) };
  // The form's, so that a form that is sent twice is one job.
  const idempotencyKey = `form-${form.get("formId")}`;
  try {
    const { id } = await (await openProducer()).submit(welcome, payload, { idempotencyKey });
    return { jobId: id };
  } catch (error) {
    if (!(error instanceof HoldfastError && error.code === "INVALID_PAYLOAD")) throw error;
    return {
      issues: error.issues.map(({ pointer, message }) => `${pointer.replace("/payload/", "")}: ${message}`),
    };
  }
}
