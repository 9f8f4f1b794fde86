// What OHIF is told before it starts: whose studies it shows, and that it asks nothing of anybody else.

const told = JSON.parse(document.getElementById("told").textContent);

/** Where to come back to: OHIF leaves it when nothing is found there. */
const asked = location.pathname + location.search;

window.PUBLIC_URL = told.files;
window.browserImportFunction = (name) => import(name);

// What OHIF stores must carry the session's token, as every change does; and whose session has ended signs in
// again, where OHIF would say that there is no such study.
const send = XMLHttpRequest.prototype.send;
const open = XMLHttpRequest.prototype.open;
XMLHttpRequest.prototype.open = function (method, address, ...rest) {
  this.changes = !["GET", "HEAD", "OPTIONS"].includes(method.toUpperCase());
  this.ours = new URL(address, location.href).origin === location.origin;
  this.addEventListener("load", () => {
    if (this.ours && this.status === 401) {
      location.assign(`/sign-in?next=${encodeURIComponent(asked)}`);
    }
  });
  return open.call(this, method, address, ...rest);
};
XMLHttpRequest.prototype.send = function (body) {
  if (this.changes && this.ours) this.setRequestHeader(told.csrf.name, told.csrf.value);
  return send.call(this, body);
};

window.config = {
  name: "bedside",
  routerBasename: told.base,
  extensions: [],
  modes: [],
  customizationService: {
    // Without what would ask other hosts for models or programs.
    "cornerstone.segmentationToolbarSections": {
      LabelMapTools: {
        $set: told.corrects ? ["BrushTools", "ClickSegment", "Shapes", "LabelMapEditWithContour"] : [],
      },
      LabelMapUtilities: { $set: ["SegmentBidirectional"] },
    },
    "panelSegmentation.disableEditing": { $set: !told.corrects },
  },
  showStudyList: false, // studies are found on bedside's pages
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: true,
  showLoadingIndicator: true,
  showErrorDetails: "production",
  investigationalUseDialog: { option: "never" },
  disableConfirmationPrompts: true, // a segmentation that is opened is loaded, without a question
  maxNumberOfWebWorkers: 3,
  maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 },
  strictZSpacingForVolumeViewport: true,
  whiteLabeling: {
    createLogoComponentFn: (React) =>
      React.createElement("a", { href: document.referrer || "/", title: told.back, className: "text-white px-2" }, "bedside"),
  },
  defaultDataSourceName: "bedside",
  dataSources: [
    {
      namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
      sourceName: "bedside",
      configuration: {
        friendlyName: told.tenant,
        name: "bedside",
        qidoRoot: told.dicomweb,
        wadoRoot: told.dicomweb,
        wadoUriRoot: told.dicomweb,
        qidoSupportsIncludeField: true,
        supportsFuzzyMatching: false,
        supportsWildcard: false,
        supportsReject: false,
        dicomUploadEnabled: false,
        imageRendering: "wadors",
        thumbnailRendering: "wadors",
        enableStudyLazyLoad: true,
        omitQuotationForMultipartRequest: true,
        bulkDataURI: { enabled: true },
        singlepart: "bulkdata,video,pdf",
        // A LABELMAP segmentation loses its colours on the way back.
        segmentation: { store: { defaultMode: "bitmap", transferSyntaxUID: "1.2.840.10008.1.2.1" } },
      },
    },
  ],
};
