"""The extensions that Section 7 of the paper proposes: conditional nets, inference, completion, few labels."""
