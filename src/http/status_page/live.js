"use strict";
(() => {
  const live = document.getElementById("live"), note = document.getElementById("note");
  const search = document.querySelector("input[name=q]");
  let busy = false, again = false, typed;
  const address = () => {
    const query = new URLSearchParams(location.search);
    if (search.value) query.set("q", search.value); else query.delete("q");
    const text = query.toString();
    return location.pathname + (text ? "?" + text : "");
  };
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(address(), { cache: "no-store" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("live");
      if (!answer.ok || !fresh) throw new Error(answer.status);
      live.replaceChildren(...fresh.childNodes);
      note.textContent = "";
    } catch (error) {
      note.textContent ||= "No answer since " + new Date().toLocaleTimeString() + ": what stands here is old.";
    }
    busy = false;
    if (again) { again = false; refresh(); }
  };
  search.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => { history.replaceState(null, "", address()); refresh(); }, 150);
  });
  search.form.addEventListener("submit", (event) => { event.preventDefault(); refresh(); });
  setInterval(() => { if (!document.hidden) refresh(); }, 5000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
})();
