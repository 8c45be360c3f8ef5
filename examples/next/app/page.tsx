import { randomUUID } from "node:crypto";
import { connection } from "next/server";
import { Suspense } from "react";
import { SignUp } from "./sign-up";

export default function Page() {
  return (
    <main>
      <h1>Sign up</h1>
      <Suspense>
        <Form />
      </Suspense>
      <a href="/jobs-admin/console/">Jobs</a>
    </main>
  );
}

/** Each visitor gets a form of their own. */
async function Form() {
  await connection();
  return <SignUp formId={randomUUID()} />;
}
