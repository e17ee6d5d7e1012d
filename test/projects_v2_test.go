package test

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// projectCall is a call of version 2 of the service for projects.
func projectCall(name, as, method, body, want string, events ...string) testkit.Call {
	return testkit.Call{
		Name: name, As: as, Do: "POST /zitadel.project.v2.ProjectService/" + method, Body: body, Want: want, Events: events,
		Header: map[string]string{"Content-Type": "application/json"},
	}
}

func refusedCall(c testkit.Call, status int) testkit.Call {
	c.Status = status
	return c
}

func keeping(c testkit.Call, name, path string) testkit.Call {
	c.Keep = map[string]string{name: path}
	return c
}

func TestProjectsV2(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	const portal, grant = `"projectId":"$portal"`, `"projectId":"$portal","grantedOrganizationId":"$rival"`
	s.Run(t,
		keeping(projectCall("create", "boss", "CreateProject", `{"organizationId":"$acme","projectId":"shop","name":"Shop","authorizationRequired":true}`, `{"projectId":"shop","creationDate":"*"}`, projectAdded...), "date", "creationDate"),
		refusedCall(projectCall("an id once", "foe", "CreateProject", `{"organizationId":"$rival","projectId":"shop","name":"Shop"}`, `{"code":"already_exists"}`), 409),
		refusedCall(projectCall("not for others", "foe", "CreateProject", `{"organizationId":"$acme","name":"Shop"}`, `{"code":"not_found"}`), 404),
		refusedCall(projectCall("for nobody", "", "CreateProject", `{"organizationId":"1","name":"Shop"}`, `{"code":"failed_precondition"}`), 400),
		projectCall("nothing to change", "boss", "UpdateProject", `{"projectId":"shop","name":"Shop"}`, `{"changeDate":"*"}`),
		projectCall("change", "boss", "UpdateProject", `{"projectId":"shop","name":"Store","projectRoleAssertion":true,"projectAccessRequired":true,"privateLabelingSetting":1}`, `{"changeDate":"*"}`, "project.changed"),
		refusedCall(projectCall("not from elsewhere", "foe", "UpdateProject", `{"projectId":"shop","name":"Mine"}`, `{"code":"not_found"}`), 404),
		refusedCall(projectCall("as if there were none", "foe", "UpdateProject", `{"projectId":"1","name":"Mine"}`, `{"code":"not_found"}`), 404),
		projectCall("read", "boss", "GetProject", `{"projectId":"shop"}`, `{"project":{"projectId":"shop","organizationId":"$acme","name":"Store","state":"PROJECT_STATE_ACTIVE","projectRoleAssertion":true,
			"authorizationRequired":true,"projectAccessRequired":true,"privateLabelingSetting":"PRIVATE_LABELING_SETTING_ENFORCE_PROJECT_RESOURCE_OWNER_POLICY"}}`),
		refusedCall(projectCall("not elsewhere", "foe", "GetProject", `{"projectId":"shop"}`, `{"code":"not_found"}`), 404),
		projectCall("deactivate", "boss", "DeactivateProject", `{"projectId":"shop"}`, `{"changeDate":"*"}`, "project.deactivated"),
		projectCall("again", "boss", "DeactivateProject", `{"projectId":"shop"}`, `{"changeDate":"*"}`),
		projectCall("activate", "boss", "ActivateProject", `{"projectId":"shop"}`, `{"changeDate":"*"}`, "project.reactivated"),
		projectCall("again active", "boss", "ActivateProject", `{"projectId":"shop"}`, `{"changeDate":"*"}`),
		projectCall("add a role", "lead", "AddProjectRole", `{`+portal+`,"roleKey":"admin","displayName":"Admin"}`, `{"creationDate":"*"}`, "project.role.added"),
		refusedCall(projectCall("once", "lead", "AddProjectRole", `{`+portal+`,"roleKey":"admin","displayName":"Admin"}`, `{"code":"already_exists"}`), 409),
		projectCall("change it", "lead", "UpdateProjectRole", `{`+portal+`,"roleKey":"admin","group":"all"}`, `{"changeDate":"*"}`, "project.role.changed"),
		projectCall("no change", "lead", "UpdateProjectRole", `{`+portal+`,"roleKey":"admin","group":"all"}`, `{"changeDate":"*"}`),
		projectCall("roles", "lead", "ListProjectRoles", `{`+portal+`,"pagination":{"asc":true,"limit":2},"sortingColumn":"PROJECT_ROLE_FIELD_NAME_KEY"}`,
			`{"pagination":{"totalResult":"3","appliedLimit":"2"},"projectRoles":[{"projectId":"$portal","key":"admin","displayName":"Admin","group":"all"},{"key":"reader"}]}`),
		projectCall("some roles", "lead", "ListProjectRoles", `{`+portal+`,"filters":[{"roleKeyFilter":{"key":"r","method":"TEXT_FILTER_METHOD_ENDS_WITH"}},{"displayNameFilter":{"displayName":"wri","method":"TEXT_FILTER_METHOD_STARTS_WITH_IGNORE_CASE"}}]}`,
			`{"projectRoles":[{"key":"writer"}]}`),
		projectCall("none for others", "foe", "ListProjectRoles", `{`+portal+`}`, `{"projectRoles":null}`),
		projectCall("grant", "lead", "CreateProjectGrant", `{`+grant+`,"roleKeys":["admin","reader"]}`, `{"creationDate":"*"}`, "project.grant.added"),
		projectCall("the other side sees its roles", "foe", "ListProjectRoles", `{`+portal+`}`, `{"pagination":{"totalResult":"2"}}`),
		projectCall("remove a role", "lead", "RemoveProjectRole", `{`+portal+`,"roleKey":"admin"}`, `{"removalDate":"*"}`, "project.role.removed", "project.grant.cascade.changed"),
		projectCall("is gone already", "lead", "RemoveProjectRole", `{`+portal+`,"roleKey":"admin"}`, `{"removalDate":null}`),
		projectCall("other roles", "lead", "UpdateProjectGrant", `{`+grant+`,"roleKeys":["writer"]}`, `{"changeDate":"*"}`, "project.grant.changed"),
		projectCall("the same", "lead", "UpdateProjectGrant", `{`+grant+`,"roleKeys":["writer"]}`, `{"changeDate":"*"}`),
		refusedCall(projectCall("not by the other side", "foe", "UpdateProjectGrant", `{`+grant+`}`, `{"code":"permission_denied"}`), 403),
		projectCall("deactivate a grant", "lead", "DeactivateProjectGrant", `{`+grant+`}`, `{"changeDate":"*"}`, "project.grant.deactivated"),
		projectCall("what is granted", "foe", "ListProjects", `{"filters":[{"organizationIdFilter":{"organizationId":"$rival","type":"GRANTED"}}]}`,
			`{"pagination":{"totalResult":"1"},"projects":[{"projectId":"$portal","organizationId":"$acme","grantedOrganizationId":"$rival","grantedOrganizationName":"Rival","grantedState":"GRANTED_PROJECT_STATE_INACTIVE"}]}`),
		projectCall("activate a grant", "lead", "ActivateProjectGrant", `{`+grant+`}`, `{"changeDate":"*"}`, "project.grant.reactivated"),
		projectCall("owned and granted", "foe", "ListProjects", `{"filters":[{"organizationIdFilter":{"organizationId":"$rival"}},{"projectNameFilter":{"projectName":"POR","method":"TEXT_FILTER_METHOD_STARTS_WITH_IGNORE_CASE"}},{"inProjectIdsFilter":{"ids":["$portal"]}}]}`, `{"pagination":{"totalResult":"1"}}`),
		projectCall("only owned", "foe", "ListProjects", `{"filters":[{"organizationIdFilter":{"organizationId":"$rival","type":"OWNED"}}]}`, `{"projects":null}`),
		projectCall("all that one may see", "boss", "ListProjects", `{"pagination":{"asc":true},"sortingColumn":"PROJECT_FIELD_NAME_NAME"}`, `{"projects":[{"projectId":"$other"},{"projectId":"$portal","grantedOrganizationId":null},{"projectId":"shop"}]}`),
		projectCall("the instance sees both sides", "", "ListProjects", `{"filters":[{"inProjectIdsFilter":{"ids":["$portal"]}}]}`, `{"pagination":{"totalResult":"2"}}`),
		projectCall("grants", "lead", "ListProjectGrants", `{"sortingColumn":"PROJECT_GRANT_FIELD_NAME_PROJECT_ID","filters":[{"projectNameFilter":{"projectName":"Portal"}},{"roleKeyFilter":{"key":"writer"}},{"inProjectIdsFilter":{"ids":["$portal"]}},
			{"organizationIdFilter":{"id":"$acme"}},{"grantedOrganizationIdFilter":{"id":"$rival"}}]}`,
			`{"pagination":{"totalResult":"1"},"projectGrants":[{"organizationId":"$acme","grantedOrganizationId":"$rival","grantedOrganizationName":"Rival","grantedRoleKeys":["writer"],"projectId":"$portal","projectName":"Portal","state":"PROJECT_GRANT_STATE_ACTIVE"}]}`),
		projectCall("remove the grant", "lead", "DeleteProjectGrant", `{`+grant+`}`, `{"deletionDate":"*"}`, "project.grant.removed"),
		projectCall("is gone", "lead", "DeleteProjectGrant", `{`+grant+`}`, `{"deletionDate":null}`),
		projectCall("from elsewhere there is none", "foe", "DeleteProject", `{`+portal+`}`, `{"deletionDate":null}`),
		projectCall("remove", "lead", "DeleteProject", `{`+portal+`}`, `{"deletionDate":"*"}`, "project.removed"),
		keeping(projectCall("its id begins anew", "foe", "CreateProject", `{"organizationId":"$rival","projectId":"$portal","name":"Ours"}`, `{"projectId":"$portal"}`, projectAdded...), "again", "projectId"),
		testkit.Call{Name: "and elsewhere nobody sees it", As: "lead", In: "$acme", Do: "GET /management/v1/projects/$portal", Status: 404},
		projectCall("nor in version 2", "boss", "ListProjects", `{"filters":[{"inProjectIdsFilter":{"ids":["$portal"]}}]}`, `{"projects":null}`),
	)
}

func TestProjectAdministrators(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	addMachine(t, s, "$acme", "client", "")
	s.Run(t, testkit.Call{Name: "client", Do: "POST /admin/v1/members", Body: `{"userId":"$client","roles":["IAM_LOGIN_CLIENT"]}`, Events: []string{"instance.member.added"}})
	rpc := func(name, as, method, body, want string, events ...string) testkit.Call {
		c := projectCall(name, as, "", body, want, events...)
		c.Do = "POST /zitadel.internal_permission.v2.InternalPermissionService/" + method
		return c
	}
	const onProject, onGrant = `"resource":{"projectId":"$portal"}`, `"resource":{"projectGrant":{"projectId":"$portal","organizationId":"$rival"}}`
	s.Run(t,
		projectCall("grant", "boss", "CreateProjectGrant", `{"projectId":"$portal","grantedOrganizationId":"$rival"}`, "", "project.grant.added"),
		rpc("of a project", "lead", "CreateAdministrator", `{"userId":"$helper","roles":["PROJECT_OWNER_VIEWER"],`+onProject+`}`, `{"creationDate":"*"}`, "project.member.added"),
		refusedCall(rpc("a viewer makes none", "helper", "CreateAdministrator", `{"userId":"$helper","roles":["PROJECT_OWNER"],`+onProject+`}`, `{"code":"permission_denied"}`), 403),
		refusedCall(rpc("nor more of themselves", "helper", "UpdateAdministrator", `{"userId":"$helper","roles":["PROJECT_OWNER"],`+onProject+`}`, `{"code":"permission_denied"}`), 403),
		refusedCall(rpc("nor ends others", "helper", "DeleteAdministrator", `{"userId":"$lead",`+onProject+`}`, `{"code":"permission_denied"}`), 403),
		refusedCall(rpc("who gives members may give no more than they have", "client", "CreateAdministrator", `{"userId":"$client","roles":["PROJECT_OWNER"],`+onProject+`}`, `{"code":"permission_denied"}`), 403),
		rpc("other roles", "lead", "UpdateAdministrator", `{"userId":"$helper","roles":["PROJECT_OWNER"],`+onProject+`}`, `{"changeDate":"*"}`, "project.member.changed"),
		rpc("the same", "lead", "UpdateAdministrator", `{"userId":"$helper","roles":["PROJECT_OWNER"],`+onProject+`}`, `{"changeDate":"*"}`),
		refusedCall(rpc("not from elsewhere", "foe", "CreateAdministrator", `{"userId":"$foe","roles":["PROJECT_OWNER"],`+onProject+`}`, `{"code":"not_found"}`), 404),
		rpc("of a grant", "foe", "CreateAdministrator", `{"userId":"$agent","roles":["PROJECT_GRANT_OWNER"],`+onGrant+`}`, `{"creationDate":"*"}`, "project.grant.member.added"),
		rpc("who sees that", "agent", "ListAdministrators", `{}`, `{"pagination":{"totalResult":"1"},"administrators":[{"user":{"id":"$agent"},"projectGrant":{"id":"*","projectId":"$portal","projectName":"Portal","organizationId":"$acme","grantedOrganizationId":"$rival"}}]}`),
		rpc("on a project", "lead", "ListAdministrators", `{"filters":[{"resource":{"projectId":"$portal"}}]}`, `{"pagination":{"totalResult":"3"},"administrators":[{"user":{"id":"$helper"},"project":{"id":"$portal","name":"Portal","organizationId":"$acme"},"roles":["PROJECT_OWNER"]},{},{}]}`),
		rpc("on a grant", "boss", "ListAdministrators", `{"filters":[{"resource":{"projectGrant":{"projectId":"$portal","organizationId":"$rival"}}}]}`, `{"pagination":{"totalResult":"1"}}`),
		rpc("none elsewhere", "foe", "ListAdministrators", `{"filters":[{"resource":{"projectId":"$portal"}}]}`, `{"administrators":null}`),
		rpc("end", "lead", "DeleteAdministrator", `{"userId":"$helper",`+onProject+`}`, `{"deletionDate":"*"}`, "project.member.removed"),
		rpc("end on the grant", "foe", "DeleteAdministrator", `{"userId":"$agent",`+onGrant+`}`, `{"deletionDate":"*"}`, "project.grant.member.removed"),
	)
}
