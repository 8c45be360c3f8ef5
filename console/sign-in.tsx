import { Page } from "./parts/page.tsx";
import { SIGN_IN_LEAD, SignInForm } from "./parts/sign-in-form.tsx";

/** Asks for an API key, on a page without anything else. */
export function SignIn() {
  return (
    <main className="alone">
      <p className="brand">Holdfast</p>
      <Page title="Sign in" lead={SIGN_IN_LEAD}>
        <SignInForm />
      </Page>
    </main>
  );
}
