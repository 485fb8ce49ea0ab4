//! What clients ask, and the answers that trip rules.

use super::super::client as ndis_client;
use super::trips::trips;
use super::{Bench, life, mini};
use crate::clients::{tapi_proxy, wan};
use crate::ndis::Frames;
use crate::ndis::oid::OidRequest;

trips! {
    requests(life) {
        "OID completes and returns" => "CO-145",
        "keeps an OID request" => "NV.NdisTimedOidComplete.CO",
        "keeps a miniport request" => "NV.NdisTimedOidComplete",
        "changes the request" => "CO-150",
        "writes too much" => "CO-151",
        "no needed size" => "CO-153",
        "no bytes written" => "CO-154",
        "set writes" => "CO-156",
    }
    requests_later(life, pended) {
        "OID completed twice" => "CO-145",
        "OID with PENDING" => "CO-146",
        "wrong AF handle" => "CO-147",
        "wrong completion" => "CO-148",
    }
    answers(ask) {
        "knows any OID" => "CO-157",
        "list can be set" => "CO-158",
        "answers without a buffer" => "CO-161",
        "no vendor" => "CO-162",
        "no wide statistics" => "CO-163",
        "unsorted list" => "CO-165",
        "old version" => "CO-166",
        "reserved MAC option" => "CO-167",
        "no lines" => "CO-319",
        "forgets the link" => "CO-320",
        "short statistics" => "CO-321",
        "statistics of an earlier call" => "CO-335",
        "refuses what fits" => "CO-333",
        "old TAPI" => "CO-322",
    }
    answers_later(ask, pended) {
        "forgets the link" => "CO-320",
    }
}

/// NDPROXY's and NDISWAN's questions.
fn ask() {
    let bench = Bench::start().expect("a start");
    let af = bench.open();
    let lines = tapi_proxy::ask(&af);
    if !mini::deviates("old TAPI") {
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].media_name.as_str(), lines[0].provider_name.as_str()), ("P", "M"));
    }
    wan::ask(&bench.adapter);
    if let Some(vc) = bench.connect(&af) {
        wan::ask_fresh(&vc);
        wan::join(&vc);
        let longest = vc.told().map_or(0, |told| told as usize + 4);
        bench.send(&vc, &Frames::singles([vec![7; longest]]));
        wan::ask_link(&vc);
        bench.disconnect(&vc);
    }
    ndis_client::cm_oid_request(&af, None, OidRequest::query(0xFE00_1001, 12));
    bench.close(&af);
    bench.stop();
}
