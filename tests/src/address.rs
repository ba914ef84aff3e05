//! The page on which a requester confirms an address, as a browser gets it.

use crate::Story;
use crate::story::client;
use std::net::{IpAddr, Ipv4Addr};

/// Counts as 203.0.113.7.
pub const HOME: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
/// Counts as 198.51.100.9.
pub const CAFE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Counts as 2001:db8::7.
pub const BY_IPV6: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// Counts as nothing but itself.
pub const NOWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// What a browser was given.
#[derive(Debug)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub html: String,
}

impl Page {
    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What the page says, without its markup.
    pub fn says(&self) -> String {
        let main = self.html.split_once("<main>").map_or("", |(_, main)| main);
        let mut said = String::new();
        let mut rest = main;
        while let Some((text, markup)) = rest.split_once('<') {
            said.push_str(text);
            rest = markup.split_once('>').map_or("", |(_, rest)| rest);
        }
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The link that its button sends back, where it has one.
    pub fn form(&self) -> Option<String> {
        let (_, value) = self.html.split_once("name=\"link\" value=\"")?;
        value.split_once('"').map(|(link, _)| link.to_owned())
    }
}

/// The link in an answer: the address of the page, and what the link itself is.
pub fn link(answer: &str) -> (String, String) {
    let url = answer.split_once('<').and_then(|(_, rest)| rest.split_once('|')).map(|(url, _)| url);
    let url = url.unwrap_or_else(|| panic!("no link in: {answer}"));
    let link = url.split_once("/address?link=").map(|(_, link)| link);
    (url.to_owned(), link.unwrap_or_else(|| panic!("not the page: {url}")).to_owned())
}

impl Story {
    /// Somebody asks without saying from where: the request's id, and the link.
    pub async fn drafted(&self, user: &str, text: &str) -> (String, String) {
        let answer = self.ask(user, text).await;
        assert!(answer.contains(". From which address? "), "{answer}");
        let id = answer.rsplit_once("Ref ").map(|(_, id)| id.to_owned());
        self.settle().await;
        (id.unwrap_or_else(|| panic!("no reference: {answer}")), link(&answer).1)
    }

    fn address_page(&self) -> String {
        self.url("slack_command_url").replace("/slack/command", "/address")
    }

    /// A browser somewhere follows a link.
    pub async fn follow(&self, from: Ipv4Addr, link: &str) -> Page {
        self.browse(from, "GET", link, &[]).await
    }

    /// A browser somewhere presses the button of a link's page.
    pub async fn confirm(&self, from: Ipv4Addr, link: &str) -> Page {
        self.browse(from, "POST", link, &[("sec-fetch-site", "same-origin"), ("origin", "null")]).await
    }

    /// What a browser somewhere sends to the page.
    pub async fn browse(&self, from: Ipv4Addr, method: &str, link: &str, headers: &[(&str, &str)]) -> Page {
        let method: reqwest::Method = method.parse().unwrap();
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("link", link).finish();
        let posts = method == reqwest::Method::POST;
        let url = if posts { self.address_page() } else { format!("{}?{form}", self.address_page()) };
        let mut call = client(Some(IpAddr::V4(from))).request(method, url);
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        if posts {
            call = call.header("content-type", "application/x-www-form-urlencoded").body(form);
        }
        let answer = call.send().await.expect("the page answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Page { status, headers, html: answer.text().await.unwrap() }
    }
}
