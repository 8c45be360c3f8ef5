import { randomUUID } from "node:crypto";
import { SignUp } from "./sign-up";

// Each visitor gets a form of their own.
export const dynamic = "force-dynamic";

export default function Page() {
  return (
    <main>
      <h1>Sign up</h1>
      <SignUp formId={randomUUID()} />
      <a href="/jobs-admin/console/">Jobs</a>
    </main>
  );
}
