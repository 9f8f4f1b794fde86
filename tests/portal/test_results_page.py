"""The page of a result and its answers for scripts."""

from portal_results import TENANT, ResultSite


def test_the_page_says_what_was_found_on_what_and_by_what(results: ResultSite) -> None:
    answer = results.client.get(results.page)
    assert answer.status_code == 200, answer.text
    document = results.client.get(results.api).json()["document"]
    spleen = document["measurements"][0]
    for shown in (
        "spleen",
        f"{spleen['volume_ml']:.1f}",
        f"{spleen['max_diameter_mm']:.1f}",
        document["release"]["digest"],
        document["release"]["version"],
        "it fits the model",
        results.made.job_id,
        f"/t/{TENANT}/studies/{results.made.arrival_id}",
        f"{results.page}/preview.png",
        "PHANTOM-1000",
    ):
        assert shown in answer.text, shown
