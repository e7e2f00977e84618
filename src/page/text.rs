//! The texts of the pages, by name. `texts/` has what they say.

macro_rules! texts {
    ($($name:ident => $key:literal,)+) => {
        /// A text of a page. The texts of reasons are found by the code of the reason instead.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Text { $($name,)+ }

        impl Text {
            /// Every text.
            #[cfg(test)]
            pub(crate) const ALL: &[Text] = &[$(Text::$name,)+];

            /// The key in the files of `texts/`, and in the files of `pages.texts`.
            pub(crate) const fn key(self) -> &'static str { match self { $(Self::$name => $key,)+ } }
        }
    };
}

texts! {
    LinkFrontPage => "link.front_page",
    LinkOpenPage => "link.open_page",
    LinkOpenWithoutForm => "link.open_without_form",
    LinkOpenWithHttps => "link.open_with_https",
    LinkTryAgain => "link.try_again",
    LinkStartAgain => "link.start_again",
    LinkContinue => "link.continue",
    LinkSignIn => "link.sign_in",
    LinkSignInAgain => "link.sign_in_again",
    LinkAskAgain => "link.ask_again",
    LinkSignInOrSwitch => "link.sign_in_or_switch",
    LinkOtherAccount => "link.other_account",
    LinkSignInPage => "link.sign_in_page",
    LinkSignOut => "link.sign_out",
    LinkApplications => "link.applications",
    RequestId => "request_id",
    AccessSignedInAs => "access.signed_in_as",
    AccessTokenOf => "access.token_of",
    AccessRequired => "access.required",
    AccessContact => "access.contact",
    AccessAskedAgain => "access.asked_again",
    RequireAnd => "require.and",
    RequireOr => "require.or",
    RequireGroup => "require.group",
    RequireNot => "require.not",
    RequireValue => "require.value",
    RequireContains => "require.contains",
    RequireEquals => "require.equals",
    RequireDomain => "require.domain",
    RequireAddress => "require.address",
    RequireCertificate => "require.certificate",
    RequireMaxAge => "require.max_age",
    RequireAcr => "require.acr",
    StepUpFormNotSent => "step_up.form_not_sent",
    StepUpNoAuthTime => "step_up.no_auth_time",
    StepUpFutureAuthTime => "step_up.future_auth_time",
    StepUpTooOld => "step_up.too_old",
    StepUpNoAcr => "step_up.no_acr",
    StepUpOtherAcr => "step_up.other_acr",
    RedirectingTitle => "redirecting.title",
    RedirectingAdvice => "redirecting.advice",
    AskAgainTitle => "ask_again.title",
    AskAgainAdvice => "ask_again.advice",
    SignedInTitle => "signed_in.title",
    SignedInAdvice => "signed_in.advice",
    SignedOutTitle => "signed_out.title",
    SignedOutAdvice => "signed_out.advice",
    SignedOutOfPool => "signed_out.of_pool",
    TerminalDoneTitle => "terminal.done_title",
    TerminalDoneAdvice => "terminal.done_advice",
    TerminalFailedTitle => "terminal.failed_title",
    TerminalFailedAdvice => "terminal.failed_advice",
    TerminalOtherTitle => "terminal.other_title",
    TerminalOtherAdvice => "terminal.other_advice",
    ChooseTitle => "choose.title",
    ChooseLast => "choose.last",
    ChooseEmail => "choose.email",
    ChooseEmailInvalid => "choose.email_invalid",
    ChooseEmailUnknown => "choose.email_unknown",
    SignInTitle => "sign_in.title",
    SignInFailed => "sign_in.failed",
    SignInContinue => "sign_in.continue",
    SignInUserName => "sign_in.user_name",
    SignInPassword => "sign_in.password",
    SignInSubmit => "sign_in.submit",
    SignInIncomplete => "sign_in.incomplete",
    SignInWrongPassword => "sign_in.wrong_password",
    SignInTooManyAttempts => "sign_in.too_many_attempts",
    SignInBusy => "sign_in.busy",
    WaitSecond => "wait.second",
    WaitSeconds => "wait.seconds",
    WaitMinutes => "wait.minutes",
    SignOutTitle => "sign_out.title",
    SignOutAsked => "sign_out.asked",
    SignOutAskedBy => "sign_out.asked_by",
    SignOutStay => "sign_out.stay",
    SignOutSubmit => "sign_out.submit",
    AccountTitle => "account.title",
    AccountUser => "account.user",
    AccountStay => "account.stay",
    DemoTitle => "demo.title",
    DemoPlace => "demo.place",
    DemoSignedIn => "demo.signed_in",
    DemoNobody => "demo.nobody",
    DemoIntroduction => "demo.introduction",
    DemoClaims => "demo.claims",
    DemoRequest => "demo.request",
}
