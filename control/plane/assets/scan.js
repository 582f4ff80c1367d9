// Goes on by itself once the scan is done: the same step as the button, which stays for whoever has no scripts.
//
//   every second ── GET data-poll ──► {"scan":"waiting"} again │ {"scan":"done"} send the form │ anything else: leave it to the user
"use strict";
(function () {
  var PAUSE_MS = 1000, TRIES_MAX = 600;
  var state = document.getElementById("scan-state");
  var form = document.getElementById("scan-form");
  if (!state || !form || !window.fetch) return;
  var tries = 0;
  function again() {
    tries += 1;
    if (tries <= TRIES_MAX) window.setTimeout(look, PAUSE_MS);
    else state.hidden = true;
  }
  function look() {
    window.fetch(state.dataset.poll, { credentials: "same-origin", cache: "no-store", redirect: "error" }).then(function (answer) {
      if (!answer.ok) throw new Error("no scan");
      return answer.json();
    }).then(function (told) {
      if (told.scan === "done") {
        state.textContent = state.dataset.done;
        form.submit();
      } else if (told.scan === "waiting") again();
      else state.hidden = true;
    }, function () { state.hidden = true; });
  }
  state.hidden = false;
  look();
}());
