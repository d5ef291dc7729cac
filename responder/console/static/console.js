// Local times, copy buttons, and what a screen reader and the title say after an update. All pages work without it.
"use strict";
document.documentElement.classList.add("js");

function localTimes(root) {
  for (const each of root.querySelectorAll("time[datetime]")) {
    const at = new Date(each.dateTime);
    if (!Number.isNaN(at.getTime())) each.title = each.dateTime.slice(0, 19).replace("T", " ") + " UTC, " + at.toLocaleString() + " local time";
  }
}

function said(text, stale) {
  const news = document.getElementById("news");
  news.classList.toggle("stale", stale);
  if (news.textContent !== text) news.textContent = text;
}

let known = "";
let updated = new Date();

function look() {
  const live = document.getElementById("live");
  if (!live) return;
  localTimes(live);
  const now = Array.from(live.querySelectorAll("[data-news]"), (each) => each.textContent.trim().replace(/\s+/g, " ")).join(", ");
  said(known && now !== known ? now : "", false);
  known = now;
  if (live.dataset.title) document.title = live.dataset.title;
}

function failed(event) {
  // The session has ended: the page itself leads to the sign-in.
  if (event.detail?.ctx?.response?.status === 401) return location.reload();
  said("Not updated since " + updated.toLocaleTimeString() + ": the console does not answer. Trying again.", true);
}

document.addEventListener("DOMContentLoaded", () => { localTimes(document); look(); });
document.addEventListener("htmx:after:swap", () => { updated = new Date(); look(); });
document.addEventListener("htmx:error", failed);
document.addEventListener("htmx:response:error", failed);
document.addEventListener("click", (event) => {
  const button = event.target.closest(".copy");
  if (!button) return;
  const code = button.parentElement.querySelector("code");
  navigator.clipboard.writeText(code.textContent).then(
    () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy"; }, 2000); },
    () => { getSelection().selectAllChildren(code); },
  );
});
