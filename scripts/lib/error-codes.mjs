// The facts of `docs/errors.md`, from the one table that the code answers with.

/** Every code with its HTTP status, and whether trying again can help. */
export async function errorCodesTable() {
  const { errorCodes } = await import("../../dist/errors/error-codes.js");
  const rows = Object.entries(errorCodes).map(
    ([code, { httpStatus, retryable, title }]) =>
      `| \`${code}\` | ${httpStatus} | ${retryable ? "yes" : "no"} | ${title} |`,
  );
  return ["| code | HTTP | retryable | title |", "| --- | --- | --- | --- |", ...rows].join("\n");
}
