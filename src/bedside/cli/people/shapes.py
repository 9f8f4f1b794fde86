"""Accounts and links as the shell shows them."""

from bedside.domain.account import Account, Link
from bedside.domain.person import Post
from bedside.domain.tenant import path_of


def account_json(account: Account) -> dict[str, object]:
    """Return an account for a program."""
    return {
        "id": account.id,
        "email": account.email,
        "name": account.profile.name,
        "department": account.profile.department,
        "state": account.state.value,
        "posts": [post_json(post) for post in account.person.posts],
        "made_at": account.made_at,
        "seen_at": account.seen_at,
    }


def link_json(link: Link) -> dict[str, object]:
    """Return an invitation for a program, without its secret."""
    return {
        "id": link.id,
        "email": link.email,
        "posts": [post_json(post) for post in link.posts],
        "expires_at": link.expires_at,
    }


def post_json(post: Post) -> dict[str, str]:
    """Return a role for a program; the root is empty."""
    return {"role": post.role.value, "node": path_of(post.node)}


def post_words(posts: tuple[Post, ...]) -> str:
    """Return roles for a person."""
    return ", ".join(f"{post.role} at {path_of(post.node) or '/'}" for post in posts)
