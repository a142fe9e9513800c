//! Flags that go over what the kubeconfig says: which server, and as whom.

use clap::Args;
use kube::config::{AuthInfo, Kubeconfig};

/// Flags that go over what the kubeconfig says.
#[derive(Debug, Clone, Default, Args)]
pub struct Overrides {
    /// The URL of one server, instead of all masters that the kubeconfig has
    #[arg(short, long, value_name = "URL", help_heading = "Cluster", global = true, hide_short_help = true)]
    pub server: Option<String>,
    /// The kubeconfig's cluster
    #[arg(long, value_name = "NAME", help_heading = "Cluster", global = true, hide_short_help = true)]
    pub cluster: Option<String>,
    /// The kubeconfig's user
    #[arg(long, value_name = "NAME", help_heading = "Cluster", global = true, hide_short_help = true)]
    pub user: Option<String>,
    /// A bearer token, instead of the user's credentials
    #[arg(
        long = "token",
        id = "bearer-token",
        value_name = "TOKEN",
        help_heading = "Cluster",
        global = true,
        hide_short_help = true
    )]
    pub token: Option<String>,
    /// Act as this user
    #[arg(long = "as", value_name = "USER", help_heading = "Cluster", global = true, hide_short_help = true)]
    pub impersonate: Option<String>,
    /// Act as a member of this group; may be repeated
    #[arg(long = "as-group", value_name = "GROUP", help_heading = "Cluster", global = true, hide_short_help = true)]
    pub impersonate_groups: Vec<String>,
    /// Act as the user with this uid
    #[arg(long = "as-uid", value_name = "UID", help_heading = "Cluster", global = true, hide_short_help = true)]
    pub impersonate_uid: Option<String>,
    /// The file with the authority of the servers' certificates
    #[arg(long, value_name = "FILE", help_heading = "Cluster", global = true, hide_short_help = true)]
    pub certificate_authority: Option<String>,
    /// The file with our certificate
    #[arg(long, value_name = "FILE", help_heading = "Cluster", global = true, hide_short_help = true)]
    pub client_certificate: Option<String>,
    /// The file with its key
    #[arg(long, value_name = "FILE", help_heading = "Cluster", global = true, hide_short_help = true)]
    pub client_key: Option<String>,
    /// The name that the servers' certificates must have
    #[arg(long, value_name = "NAME", help_heading = "Cluster", global = true, hide_short_help = true)]
    pub tls_server_name: Option<String>,
    /// Trust whoever answers
    #[arg(long, help_heading = "Cluster", global = true, hide_short_help = true)]
    pub insecure_skip_tls_verify: bool,
    /// How much to tell of what is done: taken from kubectl's command lines, and not used
    #[arg(short = 'v', long = "v", value_name = "LEVEL", help_heading = "Cluster", global = true, hide = true)]
    pub verbosity: Option<u8>,
}

impl Overrides {
    /// Writes the flags over what the kubeconfig says of its clusters and users.
    pub(super) fn write_over(&self, kubeconfig: &mut Kubeconfig) {
        for cluster in kubeconfig.clusters.iter_mut().filter_map(|entry| entry.cluster.as_mut()) {
            if self.server.is_some() {
                cluster.server.clone_from(&self.server);
                // The one that is named, and no other.
                cluster.extensions = None;
            }
            if self.certificate_authority.is_some() {
                cluster.certificate_authority.clone_from(&self.certificate_authority);
                cluster.certificate_authority_data = None;
            }
            if self.tls_server_name.is_some() {
                cluster.tls_server_name.clone_from(&self.tls_server_name);
            }
            if self.insecure_skip_tls_verify {
                cluster.insecure_skip_tls_verify = Some(true);
                cluster.certificate_authority = None;
                cluster.certificate_authority_data = None;
            }
        }
        for user in kubeconfig.auth_infos.iter_mut().filter_map(|entry| entry.auth_info.as_mut()) {
            if let Some(token) = &self.token {
                // A server takes a certificate before a token: then the token would say nothing.
                *user = AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() };
            }
            if self.client_certificate.is_some() {
                user.client_certificate.clone_from(&self.client_certificate);
                user.client_certificate_data = None;
            }
            if self.client_key.is_some() {
                user.client_key.clone_from(&self.client_key);
                user.client_key_data = None;
            }
            if self.impersonate.is_some() {
                user.impersonate.clone_from(&self.impersonate);
            }
            if self.impersonate_uid.is_some() {
                user.impersonate_uid.clone_from(&self.impersonate_uid);
            }
            if !self.impersonate_groups.is_empty() {
                user.impersonate_groups = Some(self.impersonate_groups.clone());
            }
        }
    }
}
