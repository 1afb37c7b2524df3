// Set the light before anything is drawn; a module would come too late and flash.
(() => {
  let kept = null;
  try { kept = localStorage.getItem("unipose-theme"); } catch { /* no storage: the system decides */ }
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();
