import { Page } from "./parts/page.tsx";
import { SIGN_IN_LEAD, SignInForm } from "./parts/sign-in-form.tsx";

/** Asks for an API key. */
export function SignIn() {
  return (
    <Page title="Sign in" lead={SIGN_IN_LEAD}>
      <SignInForm />
    </Page>
  );
}
