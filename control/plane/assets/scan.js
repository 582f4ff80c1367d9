// Starts the app on the device, says how far it is, and goes on by itself once it has answered: the same steps as link and button, which
// stay for whoever has no scripts.
//
//   at once ── hidden frame to the link ──► the browser starts the app, perhaps after asking
//   every second ── GET data-poll ──► "waiting"  after MISSING_MS: offer the app       "done"  send the form
//                                     "begun"    the app is looking                    anything else, or TRIES_MAX: leave it to the user
"use strict";
(function () {
  var PAUSE_MS = 1000, MISSING_MS = 6000, TRIES_MAX = 600, FAILS_MAX = 5;
  var state = document.getElementById("scan-state"), said = document.getElementById("scan-said");
  var form = document.getElementById("scan-form"), start = document.getElementById("scan-start");
  var app = document.getElementById("scan-app"), begin = document.getElementById("scan-begin");
  if (!state || !said || !form || !app || !window.fetch) return;
  var tries = 0, fails = 0, begun = state.dataset.stage !== "waiting", started = window.performance.now();
  // Only what is new is said: screen readers read every change.
  function tell(word) {
    state.dataset.stage = word;
    if (said.textContent !== state.dataset[word]) said.textContent = state.dataset[word];
    if (begin) begin.hidden = word === "begun" || word === "done";
  }
  function lost() {
    tell("lost");
    form.hidden = false;
  }
  function again() {
    tries += 1;
    if (tries <= TRIES_MAX) window.setTimeout(look, PAUSE_MS);
    else lost();
  }
  function waits() {
    if (window.performance.now() - started < MISSING_MS) return tell("starting");
    if (state.dataset.stage !== "missing") app.open = true;
    tell("missing");
  }
  function look() {
    window.fetch(state.dataset.poll, { credentials: "same-origin", cache: "no-store", redirect: "error" }).then(function (answer) {
      if (answer.status === 403) throw new Error("no scan");
      return answer.json();
    }).then(function (told) {
      fails = 0;
      if (told.scan === "done") {
        tell("done");
        form.submit();
      } else if (told.scan === "begun") {
        if (state.dataset.stage === "missing") app.open = false;
        tell("begun");
        again();
      } else if (told.scan === "waiting") {
        waits();
        again();
      } else lost();
    }).catch(function (why) {
      fails += 1;
      if (why.message === "no scan" || fails > FAILS_MAX) lost();
      else again();
    });
  }
  // In a frame that nobody sees: where no app is registered, some browsers show an error in place of what was there.
  function launch() {
    var frame = document.createElement("iframe");
    frame.hidden = true;
    frame.src = start.href;
    document.body.appendChild(frame);
  }
  form.hidden = true;
  if (start) {
    start.addEventListener("click", function () { started = window.performance.now(); });
    if (!begun) launch();
  }
  if (!begun) tell("starting");
  look();
}());
