/** Says on the sign-in page why somebody is there again; the desk names the reason in the address. */

const REASONS = {
  credentials: "The e-mail address or the password is not right.",
  attempts: "Too many attempts. Wait a few minutes, then try again.",
  expired: "The page was open for too long. Try again.",
  link: "This sign-in link was used before, or is too old. Sign in with your password, or ask for a new link.",
};

const error = new URLSearchParams(location.search).get("error");
if (error !== null) {
  const known = Object.hasOwn(REASONS, error) ? REASONS[error] : "Signing in did not work. Try again.";
  document.getElementById("login-error").textContent = known;
}
